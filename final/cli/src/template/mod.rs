//! `--format`: the part of Go's text/template language that people use with container engines.
//!
//! ```text
//! {{.Name}}  {{.State.Status}}  {{index .Config.Labels "a.b"}}  {{json .Mounts}}  {{.Label "a.b"}}
//! {{range $i, $e := .Mounts}}…{{else}}…{{end}}  {{if and .A (eq .B "x")}}…{{else if .C}}…{{end}}  {{with .D}}…{{end}}
//! {{$x := .Name}}{{$x | upper | printf "%q"}}  {{- trimmed -}}  {{/* comment */}}
//! ```
//!
//! Read the files in this order:
//!
//! 1. `value.rs`: what a template is filled with: JSON whose objects keep their order.
//! 2. `zero.rs`: fields without a value.
//! 3. `lex.rs`: text to tokens.
//! 4. `parse.rs`: tokens to a tree.
//! 5. `eval.rs`: the tree and a value to text.
//! 6. `functions.rs`: `json`, `join`, `index`, `printf` and the others.
//!
//! Different from Go: a value has no type but its JSON, so `{{.HostConfig}}` prints as a map and not as a structure, and a
//! field is found without regard to case when there is none of that exact name (docker's `.ID` is `Id` in JSON).

mod eval;
mod functions;
mod lex;
mod parse;
mod value;
mod zero;

pub(crate) use eval::Data;
pub(crate) use functions::html_safe;
pub(crate) use value::Value;
pub(crate) use zero::Zero;

use crate::error::Error;

/// A template that was understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    nodes: Vec<parse::Node>,
}

/// A template that makes no sense, or that asks for what is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What is wrong, with the piece of the template that it is about.
    pub(crate) message: String,
    /// The names that do exist, where a name was not found.
    pub(crate) known: Vec<String>,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), known: Vec::new() }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let error = Self::new(format!("template: {}", fault.message));
        if fault.known.is_empty() { error } else { error.hint(format!("There are: {}.", fault.known.join(", "))) }
    }
}

impl Template {
    /// Understands a template. Docker's shell users write `\t` and `\n` for the characters.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.replace("\\t", "\t").replace("\\n", "\n");
        Ok(Self { nodes: parse::parse(lex::lex(&text)?)? })
    }

    /// Fills it in.
    pub(crate) fn render(&self, data: &Data) -> Result<String, Fault> {
        eval::render(&self.nodes, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = r#"{
        "Id": "26e3", "Name": "/web", "Empty": "", "None": null, "Volumes": null, "Size": 1048576, "Ratio": 0.5,
        "State": {"Running": true, "ExitCode": 0},
        "Mounts": [{"Type": "bind", "Source": "/a"}, {"Type": "volume", "Source": "/b"}],
        "Cmd": ["sh", "-c", "echo <hi>"],
        "Labels": {"b": "2", "a.c": "1"}
    }"#;

    fn try_render(template: &str) -> Result<String, Fault> {
        let data = Data::new(serde_json::from_str(DATA).unwrap());
        Template::parse(template)?.render(&data)
    }

    fn render(template: &str) -> String {
        try_render(template).unwrap()
    }

    fn fault(template: &str) -> String {
        try_render(template).unwrap_err().message
    }

    #[test]
    fn fields() {
        assert_eq!(render("{{.Name}}"), "/web");
        assert_eq!(render("a {{ .State.Running }} b{{.State.ExitCode}}"), "a true b0");
        assert_eq!(render("{{.ID}}"), "26e3", "without regard to case when there is no such name");
        assert_eq!(render("{{.Size}} {{.Ratio}}"), "1048576 0.5");
    }

    #[test]
    fn what_a_map_of_the_users_lacks_is_no_mistake() {
        assert_eq!(render("{{.Labels.b}} {{.Labels.zz}} {{if .Labels.zz}}a{{else}}b{{end}}"), "2 <no value> b");
        assert!(try_render("{{.State.zz}}").is_err());
        assert_eq!(render(r#"{{printf "%.2s|%4.1s|" .Name .Name}}"#), "/w|   /|");
    }

    #[test]
    fn whole_values_print_as_go_prints_maps_and_lists() {
        assert_eq!(render("{{.Cmd}} {{.Labels}} {{.None}} {{.Volumes}}"), "[sh -c echo <hi>] map[a.c:1 b:2] [] map[]");
    }

    #[test]
    fn json_keeps_the_order_of_members_and_escapes_nothing_for_html() {
        assert_eq!(render("{{json .Labels}}"), r#"{"b":"2","a.c":"1"}"#);
        assert_eq!(render("{{json .Cmd}} {{json .None}}"), r#"["sh","-c","echo <hi>"] null"#);
    }

    #[test]
    fn functions_and_pipelines() {
        assert_eq!(render(r#"{{join .Cmd ","}}"#), "sh,-c,echo <hi>");
        assert_eq!(render(r"{{.Name | upper}} {{lower .Name}} {{title `ab cd`}}"), "/WEB /web Ab Cd");
        assert_eq!(render(r#"{{index .Labels "a.c"}}{{index .Labels "none"}} {{index .Mounts 1 "Source"}}"#), "1 /b");
        assert_eq!(render("{{len .Cmd}} {{.Name | len}} {{len .None}}"), "3 4 0");
        assert_eq!(
            render(r#"{{printf "%s:%d %v %q %5s|%-5s|" .Name .Size .Cmd .Id "x" "y"}}"#),
            "/web:1048576 [sh -c echo <hi>] \"26e3\"     x|y    |"
        );
        assert_eq!(
            render(r#"{{slice .Name 1}} {{slice .Name 1 3}} {{truncate .Name 2}} {{pad "x" 1 2}}|"#),
            "web we /w  x  |"
        );
        assert_eq!(render(r#"{{(index .Mounts 0).Type}} {{index (split "a:b" ":") 1}}"#), "bind b");
        assert_eq!(render(r#"{{println .Name "x"}}"#), "/web x\n");
    }

    #[test]
    fn conditions() {
        assert_eq!(render("{{if .State.Running}}up{{else}}down{{end}}"), "up");
        assert_eq!(render("{{if .Empty}}a{{else if .None}}b{{else}}c{{end}}"), "c");
        assert_eq!(render("{{if and .Name (eq .State.ExitCode 0)}}y{{end}}{{if or .Empty .Id}}z{{end}}"), "yz");
        assert_eq!(render(r#"{{if not .Empty}}n{{end}}{{if ne .Name "/web"}}m{{end}}{{if gt .Size 5}}g{{end}}"#), "ng");
        assert_eq!(render(r#"{{eq .Name "/db" "/web"}}"#), "true", "eq takes alternatives");
    }

    #[test]
    fn loops() {
        assert_eq!(render("{{range .Mounts}}{{.Type}}={{.Source}};{{end}}"), "bind=/a;volume=/b;");
        assert_eq!(render("{{range $i, $m := .Mounts}}{{$i}}{{$m.Type}}{{end}}"), "0bind1volume");
        assert_eq!(render("{{range $k, $v := .Labels}}{{$k}}={{$v}} {{end}}"), "a.c=1 b=2 ", "maps by key, as in Go");
        assert_eq!(render("{{range .None}}x{{else}}nothing{{end}}"), "nothing");
        assert_eq!(render("{{range .Mounts}}{{$.Name}}{{end}}"), "/web/web", "$ is the whole");
        assert_eq!(render("{{range .Cmd}}{{if eq . \"-c\"}}{{continue}}{{end}}{{.}},{{end}}"), "sh,echo <hi>,");
        assert_eq!(render("{{range .Cmd}}{{.}}{{break}}{{end}}"), "sh");
    }

    #[test]
    fn with_and_variables() {
        assert_eq!(render("{{with .State}}{{.ExitCode}}{{end}}{{with .None}}x{{else}}y{{end}}"), "0y");
        assert_eq!(render("{{$n := .Name}}{{$n}}{{$n = `z`}}{{$n}}"), "/webz");
        assert_eq!(render("{{with $x := .State}}{{$x.Running}}{{end}}"), "true");
    }

    #[test]
    fn white_space_and_comments() {
        assert_eq!(render("a  {{- .Name -}}  b"), "a/webb");
        assert_eq!(render("a{{/* not seen */}}b"), "ab");
        assert_eq!(render(r"{{.Id}}\t{{.Name}}\n"), "26e3\t/web\n");
    }

    #[test]
    fn faults_name_the_piece_that_is_wrong() {
        insta::assert_snapshot!(fault("{{.Nmae}}"), @"there is no field Nmae");
        insta::assert_snapshot!(fault("{{.State.Runing}}"), @"there is no field Runing in .State");
        insta::assert_snapshot!(fault("{{.Name.First}}"), @"there is no field First in .Name, which is a text");
        insta::assert_snapshot!(fault("{{.Name"), @"unclosed action: {{.Name");
        insta::assert_snapshot!(fault("{{if .Name}}x"), @"{{if}} without {{end}}");
        insta::assert_snapshot!(fault("x{{end}}"), @"unexpected {{end}}");
        insta::assert_snapshot!(fault("{{jsn .}}"), @"there is no function jsn");
        insta::assert_snapshot!(fault("{{index .Cmd 9}}"), @"index: 9 is not one of the 3 elements");
        insta::assert_snapshot!(fault("{{join .Name}}"), @"join: needs 2 arguments, has 1");
        insta::assert_snapshot!(fault("{{\"open}}"), @"unclosed quote: \"open");
        insta::assert_snapshot!(fault("{{$x}}"), @"there is no variable $x");
        insta::assert_snapshot!(fault("{{}}"), @"an action is empty");
    }

    #[test]
    fn a_field_that_may_be_missing_is_the_zero_of_its_type() {
        assert_eq!(render("{{.Memory}} {{eq .Memory 0}} {{json .Tty}} {{.Entrypoint}}"), "0 true false []");
        assert_eq!(render("{{if .State.Health}}{{.State.Health.Status}}{{else}}no check{{end}}"), "no check");
        assert_eq!(
            render("{{.State.Health}}|{{.Gateway}}|{{.ExposedPorts}}|{{json .State.Health}}"),
            "<nil>||map[]|null"
        );
    }

    #[test]
    fn a_missing_field_lists_those_that_exist() {
        let error: Error = try_render("{{.State.Nope}}").unwrap_err().into();
        assert_eq!(error.hint.unwrap(), "There are: Running, ExitCode.");
    }

    #[test]
    fn methods_take_arguments_and_are_not_in_json() {
        let labels = vec![("a.b".to_owned(), Value::Text("1".into()))];
        let data =
            Data::new(Value::Map(vec![("Names".into(), Value::Text("x".into()))])).method("Label", Value::Map(labels));
        let render = |text: &str| Template::parse(text).unwrap().render(&data).unwrap();
        assert_eq!(render(r#"{{.Label "a.b"}}{{.Label "none"}} {{json .}}"#), r#"1 {"Names":"x"}"#);
    }
}
