//! A real browser: headless Chromium, driven over WebDriver (W3C), of which three commands do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::output::Output;
use crate::support::process::Process;
use crate::support::{skip, wait_for};

/// Starting a browser, or one command, on a machine with other work.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether Chromium and its driver are there; if not, `test` is skipped by the common rule.
pub fn is_there(test: &str) -> bool {
    static MISSING: OnceLock<Option<String>> = OnceLock::new();
    let missing = MISSING.get_or_init(|| {
        let mut programs = ["chromium", "chromedriver"].into_iter();
        let lacking = programs.find(|program| {
            let found = Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            !found.is_ok_and(|status| status.success())
        })?;
        Some(format!(
            "`{lacking}` is not there; on Debian: apt-get install chromium chromium-driver"
        ))
    });
    if let Some(reason) = missing {
        skip::skipped(test, reason);
    }
    missing.is_none()
}

/// A browser with one window; it ends with the value.
pub struct Browser {
    port: u16,
    session: String,
    // The browser is in its process group.
    _driver: Process,
}

impl Browser {
    /// Opens `url` on a screen of this many points.
    pub fn open(url: &str, width: u32, height: u32) -> Browser {
        let mut command = Command::new("chromedriver");
        command
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut driver = Process::spawn("chromedriver", command);
        let output = Output::default();
        if let Some(out) = driver.child().stdout.take() {
            output.collect(out);
        }
        let port = wait_for("chromedriver's port", PATIENCE, || {
            let line = output.line_with("started successfully on port ");
            line.as_deref()
                .and_then(|line| line.rsplit_once(' '))
                .and_then(|(_, port)| port.trim_end_matches('.').parse().ok())
                .ok_or_else(|| output.tail())
        });
        // A window can't be as narrow as a phone; an emulated screen can.
        let screen =
            json!({ "width": width, "height": height, "pixelRatio": 1.0, "mobile": false });
        let options = json!({
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
            "mobileEmulation": { "deviceMetrics": screen },
        });
        let wanted =
            json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let body = json!({ "capabilities": { "alwaysMatch": wanted } });
        let made = post(port, "/session", &body);
        let session = made["sessionId"].as_str();
        let browser = Browser {
            port,
            session: session
                .unwrap_or_else(|| panic!("a session: {made}"))
                .to_owned(),
            _driver: driver,
        };
        browser.command("url", &json!({ "url": url }));
        browser
    }

    fn command(&self, command: &str, body: &Value) -> Value {
        post(
            self.port,
            &format!("/session/{}/{command}", self.session),
            body,
        )
    }

    /// What this JavaScript returns.
    pub fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// The text that a person reads in the first element for this CSS selector; `None` where there
    /// is none, or it is hidden.
    pub fn text(&self, selector: &str) -> Option<String> {
        let found = self.run(&format!(
            "const found = document.querySelector({}); \
             return found && found.checkVisibility() ? found.innerText : null",
            Value::from(selector)
        ));
        found.as_str().map(str::to_owned)
    }

    /// The texts of all elements for this CSS selector.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        let found = self.run(&format!(
            "return [...document.querySelectorAll({})].map((found) => found.innerText)",
            Value::from(selector)
        ));
        let texts = found.as_array().into_iter().flatten();
        texts
            .filter_map(|text| Some(text.as_str()?.to_owned()))
            .collect()
    }

    /// Presses a key, such as `\u{E004}` for Tab (WebDriver, 17.4.2).
    pub fn press(&self, key: &str) {
        let press = |what: &str| json!({ "type": what, "value": key });
        let keys = json!({ "type": "key", "id": "keyboard", "actions": [press("keyDown"), press("keyUp")] });
        self.command("actions", &json!({ "actions": [keys] }));
    }

    /// Has the page shown to somebody who likes it `light` or `dark`.
    pub fn prefer(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let order =
            json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } });
        self.command("goog/cdp/execute", &order);
    }

    /// What the browser complained of since it was opened: scripts, refused requests.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.command("se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().into_iter().flatten();
        entries.map(|entry| entry["message"].to_string()).collect()
    }

    /// Waits until the element shows this.
    #[track_caller]
    pub fn wait_for_text(&self, selector: &str, wanted: &str) {
        wait_for(
            &format!("{selector} to show {wanted:?}"),
            PATIENCE,
            || match self.text(selector) {
                Some(text) if text.contains(wanted) => Ok(()),
                other => Err(format!("{other:?}")),
            },
        );
    }
}

/// The `value` of the driver's answer.
fn post(port: u16, path: &str, body: &Value) -> Value {
    let answer = exchange(port, path, &body.to_string())
        .unwrap_or_else(|error| panic!("POST {path}: {error}"));
    let mut answer: Value = serde_json::from_slice(&answer)
        .unwrap_or_else(|error| panic!("POST {path}: {error}: {answer:?}"));
    let value = answer["value"].take();
    assert!(value.get("error").is_none(), "POST {path}: {value}");
    value
}

/// The answer's body. The driver leaves the connection open, so its length is what counts.
fn exchange(port: u16, path: &str, body: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(std::io::Error::other)?;
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
