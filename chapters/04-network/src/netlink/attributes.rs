//! Writing netlink attributes: length, type, value, and filling up to four bytes (netlink(7)).

/// The attribute contains attributes (`NLA_F_NESTED`).
const NESTED: u16 = 1 << 15;

/// The body of a message, growing by attributes.
#[derive(Debug, Default)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    /// Attributes after a netfilter message's fixed part, `struct nfgenmsg`: address family, version 0, resource (in the
    /// frame of a transaction: the subsystem).
    pub(crate) fn after_generic(family: u8, resource: u16) -> Self {
        let [high, low] = resource.to_be_bytes();
        Self(vec![family, 0, high, low])
    }

    /// Appends an attribute.
    pub(crate) fn value(&mut self, kind: u16, value: &[u8]) {
        self.0.extend_from_slice(&u16::try_from(4 + value.len()).unwrap_or(u16::MAX).to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// Appends a text with its closing zero.
    pub(crate) fn string(&mut self, kind: u16, text: &str) {
        self.value(kind, &[text.as_bytes(), &[0]].concat());
    }

    /// Appends an attribute that contains those that `fill` appends.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.value(kind | NESTED, &inner.0);
    }

    /// The finished body.
    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0
    }
}

impl AsRef<[u8]> for Attributes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
