//! JSON whose objects are sorted by their keys: the API's types have hash maps in them, and the same question shall have the
//! same answer each time.
//!
//! The usual way is over a [`serde_json::Value`], whose maps are sorted. It makes a string of every key and a node of every
//! object, which for a list of a thousand containers took longer than all the rest of the answer. Here the objects are
//! sorted where they are written: when one ends, its entries are put into order in the text itself.

use std::cell::RefCell;
use std::io::{self, Write};
use std::ops::Range;
use std::rc::Rc;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// `value` as JSON, every object of it sorted.
pub(crate) fn to_vec<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let text = Text::default();
    let objects = Objects { text: text.clone(), open: Vec::new(), scratch: Vec::new() };
    value.serialize(&mut Serializer::with_formatter(text.clone(), objects))?;
    Ok(text.0.take())
}

/// What has been written so far. The serializer appends to it, and the formatter looks at it.
#[derive(Debug, Clone, Default)]
struct Text(Rc<RefCell<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The objects that have begun and not ended, outermost first: the places of their entries, `"key":value`.
struct Objects {
    text: Text,
    open: Vec<Vec<Range<usize>>>,
    scratch: Vec<u8>,
}

impl Formatter for Objects {
    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open.push(Vec::new());
        writer.write_all(b"{")
    }

    /// An entry begins. The comma in front of it belongs to none of the two.
    fn begin_object_key<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        let begin = self.text.0.borrow().len();
        self.open.last_mut().into_iter().for_each(|entries| entries.push(begin..begin));
        Ok(())
    }

    fn end_object_value<W: Write + ?Sized>(&mut self, _: &mut W) -> io::Result<()> {
        let end = self.text.0.borrow().len();
        if let Some(entry) = self.open.last_mut().and_then(|entries| entries.last_mut()) {
            entry.end = end;
        }
        Ok(())
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        let entries = self.open.pop().unwrap_or_default();
        sort(&mut self.text.0.borrow_mut(), entries, &mut self.scratch);
        writer.write_all(b"}")
    }
}

/// Puts the entries of an object that ends with `text` into order. They begin with their keys, so they are compared as they are.
fn sort(text: &mut Vec<u8>, mut entries: Vec<Range<usize>>, scratch: &mut Vec<u8>) {
    let entry = |place: &Range<usize>| text.get(place.clone()).unwrap_or_default();
    let Some(begin) = entries.first().map(|first| first.start) else { return };
    if entries.is_sorted_by_key(entry) {
        return;
    }
    entries.sort_unstable_by(|a, b| entry(a).cmp(entry(b)));
    scratch.clear();
    for place in &entries {
        scratch.extend_from_slice(entry(place));
        scratch.push(b',');
    }
    scratch.pop();
    text.truncate(begin);
    text.extend_from_slice(scratch);
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn maps_and_structures_have_one_order() {
        #[derive(Serialize)]
        struct Container {
            #[serde(rename = "Names")]
            names: Vec<String>,
            #[serde(rename = "Labels")]
            labels: HashMap<String, Option<i32>>,
        }
        let labels = HashMap::from([("b".to_owned(), None), ("a".to_owned(), Some(-1)), ("ab".to_owned(), Some(3))]);
        let text = String::from_utf8(to_vec(&Container { names: vec!["{\"".into()], labels }).unwrap()).unwrap();
        insta::assert_snapshot!(text, @r#"{"Labels":{"a":-1,"ab":3,"b":null},"Names":["{\""]}"#);
    }

    proptest::proptest! {
        /// The same text as by way of a value, whatever is in it.
        #[test]
        fn it_says_what_the_usual_way_says(keys in proptest::collection::vec("[a-z]{1,3}", 0..20), depth in 0..4) {
            let flat: HashMap<_, _> = keys.iter().enumerate().map(|(place, key)| (key.clone(), json!(place))).collect();
            let nested = (0..depth).fold(json!(flat), |inner, _| json!({ "z": inner, "a": [flat, inner], "m": {} }));
            let unsorted: HashMap<String, &Value> = keys.iter().map(|key| (key.clone(), &nested)).collect();
            let usual = serde_json::to_vec(&serde_json::to_value(&unsorted).unwrap()).unwrap();
            proptest::prop_assert_eq!(to_vec(&unsorted).unwrap(), usual);
        }
    }
}
