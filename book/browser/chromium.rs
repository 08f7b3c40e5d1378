//! A browser without a window, and the DevTools protocol: JSON messages over a web socket. Each request has a number and each
//! answer the number of its request; what has no number is an event (chromedevtools.github.io/devtools-protocol).

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

/// Names of the program: Debian's two packages, and others'.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-headless-shell", "chromium-browser", "google-chrome"];
/// How long the browser may be silent while something was asked of it.
const PATIENCE: Duration = Duration::from_mins(1);
/// The tallest picture that Chromium makes; a longer page is made smaller.
const TALLEST: f64 = 16_000.0;
/// Events that say that something in a page is wrong.
const COMPLAINTS: [&str; 3] = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];

/// A running browser; it ends with this value.
pub(super) struct Chromium {
    process: Child,
    link: RefCell<Link>,
    _profile: TempDir,
}

/// The way to it.
struct Link {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    asked: u64,
    /// Events that came while an answer was waited for.
    events: Vec<Value>,
}

/// One page of it.
pub(super) struct Tab<'a> {
    chromium: &'a Chromium,
    session: String,
}

impl Chromium {
    /// Starts the one that is installed.
    pub(super) fn start() -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let mut command = PROGRAMS
            .iter()
            .find_map(|name| on_path(name))
            .map(Command::new)
            .context("there is no Chromium on the PATH; install the package chromium, or leave --browser out")?;
        // It is its own pages that it opens; and root, as which the book is checked, cannot have Chromium's sandbox.
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
        command.args(["--hide-scrollbars", "--remote-debugging-port=0"]);
        command.arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        let mut process =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().context("cannot start Chromium")?;
        let address = process.stderr.take().map(BufReader::new).and_then(listening);
        let Some(address) = address else {
            let _gone = process.kill();
            bail!("Chromium has ended without saying where it listens");
        };
        let (socket, _) = tungstenite::connect(&address).with_context(|| format!("cannot reach {address}"))?;
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(PATIENCE))?;
        }
        let link = RefCell::new(Link { socket, asked: 0, events: Vec::new() });
        Ok(Self { process, link, _profile: profile })
    }

    /// A new page, `width` pixels wide.
    pub(super) fn tab(&self, width: u32) -> Result<Tab<'_>> {
        let mut link = self.link.borrow_mut();
        let target = link.ask(None, "Target.createTarget", &json!({"url": "about:blank"}))?;
        let attached =
            link.ask(None, "Target.attachToTarget", &json!({"targetId": at(&target, "/targetId"), "flatten": true}))?;
        let session = at(&attached, "/sessionId").as_str().context("a page has no session")?.to_owned();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            link.ask(Some(&session), domain, &json!({}))?;
        }
        let screen = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": true});
        link.ask(Some(&session), "Emulation.setDeviceMetricsOverride", &screen)?;
        drop(link);
        Ok(Tab { chromium: self, session })
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _closed = self.link.borrow_mut().ask(None, "Browser.close", &json!({}));
        let _gone = self.process.kill();
        let _status = self.process.wait();
    }
}

impl Tab<'_> {
    /// Opens a file and waits until all of it is loaded.
    pub(super) fn open(&mut self, page: &Path) -> Result<()> {
        let page = page.canonicalize().with_context(|| format!("cannot find {}", page.display()))?;
        let url = format!("file://{}", page.display());
        let mut link = self.chromium.link.borrow_mut();
        link.events.clear();
        let answer = link.ask(Some(&self.session), "Page.navigate", &json!({"url": url}))?;
        if let Some(error) = at(&answer, "/errorText").as_str() {
            bail!("cannot open {url}: {error}");
        }
        while !link.events.iter().any(|event| at(event, "/method") == "Page.loadEventFired") {
            let event = link.read()?;
            link.events.push(event);
        }
        Ok(())
    }

    /// The value of an expression of JavaScript; of a promise, when it is kept.
    pub(super) fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let what = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut link = self.chromium.link.borrow_mut();
        let mut answer = link.ask(Some(&self.session), "Runtime.evaluate", &what)?;
        if !at(&answer, "/exceptionDetails").is_null() {
            bail!("the page answers: {}", at(&answer, "/exceptionDetails/exception/description"));
        }
        Ok(answer.pointer_mut("/result/value").map(Value::take).unwrap_or_default())
    }

    /// What it looks like from its top to its end, as a PNG.
    pub(super) fn picture(&mut self) -> Result<Vec<u8>> {
        let mut link = self.chromium.link.borrow_mut();
        let metrics = link.ask(Some(&self.session), "Page.getLayoutMetrics", &json!({}))?;
        let side = |name: &str| at(&metrics, &format!("/cssContentSize/{name}")).as_f64().unwrap_or(TALLEST);
        let (width, height) = (side("width"), side("height"));
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": (TALLEST / height).min(1.0)});
        let how = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let answer = link.ask(Some(&self.session), "Page.captureScreenshot", &how)?;
        drop(link);
        let text = at(&answer, "/data").as_str().context("a picture has no data")?;
        Ok(base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text)?)
    }

    /// Errors that the page has put on the console since it was opened, and exceptions that nobody caught.
    pub(super) fn complaints(&mut self) -> Result<Vec<String>> {
        let mut link = self.chromium.link.borrow_mut();
        // An answer comes after all events before it.
        link.ask(Some(&self.session), "Runtime.evaluate", &json!({"expression": "0"}))?;
        let complaints = link.events.iter().filter(|event| is_complaint(event));
        Ok(complaints.map(|event| format!("the console says: {}", at(event, "/params"))).collect())
    }
}

impl Link {
    /// Asks, and waits for the answer.
    fn ask(&mut self, session: Option<&str>, method: &str, params: &Value) -> Result<Value> {
        self.asked += 1;
        let mut request = json!({"id": self.asked, "method": method, "params": params});
        if let Some(session) = session {
            request.as_object_mut().map(|members| members.insert("sessionId".to_owned(), json!(session)));
        }
        self.socket.send(Message::text(request.to_string()))?;
        loop {
            let mut message = self.read()?;
            if at(&message, "/id").as_u64() != Some(self.asked) {
                self.events.push(message);
            } else if at(&message, "/error").is_null() {
                return Ok(message.pointer_mut("/result").map(Value::take).unwrap_or_default());
            } else {
                bail!("{method}: {}", at(&message, "/error/message"));
            }
        }
    }

    fn read(&mut self) -> Result<Value> {
        loop {
            if let Message::Text(text) = self.socket.read().context("the browser does not answer")? {
                return Ok(serde_json::from_str(&text)?);
            }
        }
    }
}

/// What is at a path such as `/entry/level`; null, if nothing is.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    value.pointer(path).unwrap_or(&Value::Null)
}

/// Whether an event is an error and not a note.
fn is_complaint(event: &Value) -> bool {
    let params = at(event, "/params");
    let level = at(params, "/entry/level").as_str().or(at(params, "/type").as_str()).unwrap_or("error");
    COMPLAINTS.iter().any(|name| at(event, "/method") == *name) && level == "error"
}

/// The address in `DevTools listening on ws://127.0.0.1:41234/devtools/browser/…`. The rest of what it says is read as well: a
/// full pipe would stop it.
fn listening(mut errors: BufReader<std::process::ChildStderr>) -> Option<String> {
    let mut line = String::new();
    while errors.read_line(&mut line).ok()? > 0 {
        if let Some(address) = line.trim().strip_prefix("DevTools listening on ") {
            let address = address.to_owned();
            std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
            return Some(address);
        }
        line.clear();
    }
    None
}

/// The program's path.
fn on_path(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_complaints_and_notes_are_not() {
        let event = |method: &str, params: Value| json!({"method": method, "params": params});
        assert!(is_complaint(&event("Runtime.exceptionThrown", json!({}))));
        assert!(is_complaint(&event("Log.entryAdded", json!({"entry": {"level": "error"}}))));
        assert!(!is_complaint(&event("Runtime.consoleAPICalled", json!({"type": "log"}))));
        assert!(!is_complaint(&event("Page.loadEventFired", json!({}))));
    }
}
