//! A real browser, driven by the WebDriver protocol.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// A browser's session, and the program that drives it. Both end with it.
pub(crate) struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
    _profile: tempfile::TempDir,
}

/// Whether what drives a browser can be called here.
pub(crate) fn is_there() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = |name: &str| std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
    let browser = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .any(found);
    browser && found("chromedriver")
}

impl Browser {
    pub(crate) fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromedriver starts");
        let said = BufReader::new(driver.stdout.take().expect("piped"));
        let port = said
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, port) = line.split_once("started successfully on port ")?;
                Some(port.trim_end_matches('.').to_owned())
            })
            .expect("chromedriver says its port");
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(240)))
            .build()
            .into();
        let profile = tempfile::tempdir().expect("a folder");
        let mut browser = Self {
            driver,
            agent,
            session: format!("http://127.0.0.1:{port}/session"),
            _profile: profile,
        };
        let profile = browser._profile.path().display();
        let answer = browser.post(
            "",
            &json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "script": 200_000, "pageLoad": 200_000 },
            "goog:chromeOptions": { "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--hide-scrollbars", format!("--user-data-dir={profile}"),
            ] },
        } } }),
        );
        let id = answer["sessionId"].as_str().expect("a session");
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    fn post(&self, what: &str, body: &Value) -> Value {
        let url = format!("{}{what}", self.session);
        let answer = self
            .agent
            .post(&url)
            .send(body.to_string())
            .expect("an answer");
        let answer = answer.into_body().read_to_string().expect("text");
        let mut answer: Value = serde_json::from_str(&answer).expect("JSON");
        let value = answer["value"].take();
        assert!(value["error"].is_null(), "{what} {body}: {value}");
        value
    }

    pub(crate) fn open(&self, page: &Path) {
        self.post(
            "/url",
            &json!({ "url": format!("file://{}", page.display()) }),
        );
    }

    /// What the body of a function comes to in the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true in the page.
    pub(crate) fn until(&self, expression: &str, what: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        while self.run(&format!("return {expression}")) != true {
            assert!(Instant::now() < end, "{what}: not within a minute");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A command of Chromium's own protocol.
    pub(crate) fn cdp(&self, command: &str, parameters: Value) -> Value {
        self.post(
            "/goog/cdp/execute",
            &json!({ "cmd": command, "params": parameters }),
        )
    }

    fn element(&self, selector: &str) -> String {
        let found = self.post(
            "/element",
            &json!({ "using": "css selector", "value": selector }),
        );
        let id = found.as_object().and_then(|found| found.values().next());
        id.and_then(Value::as_str).expect("an element").to_owned()
    }

    /// Clicks as a person would.
    pub(crate) fn click(&self, selector: &str) {
        // What is only just in sight may lie below the bar that stays on top.
        let middle =
            format!("document.querySelector('{selector}').scrollIntoView({{ block: 'center' }})");
        self.run(&middle);
        let element = self.element(selector);
        self.post(&format!("/element/{element}/click"), &json!({}));
    }

    /// Types into what `selector` finds, in place of what is there.
    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.post(&format!("/element/{element}/clear"), &json!({}));
        self.post(
            &format!("/element/{element}/value"),
            &json!({ "text": text }),
        );
    }

    /// What the console was told since this was asked last.
    pub(crate) fn console(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let lines = log.as_array().expect("lines").iter();
        lines
            .map(|line| format!("{} {}", line["level"], line["message"]))
            .collect()
    }

    /// A picture of the page, as far as the window goes or whole.
    pub(crate) fn picture(&self, whole: bool) -> Vec<u8> {
        self.taken(json!({ "captureBeyondViewport": whole, "format": "png" }))
    }

    /// A picture of a part of the page: `x`, `y`, `width` and `height` in pixels, and `scale`.
    pub(crate) fn picture_of(&self, part: Value) -> Vec<u8> {
        self.taken(json!({ "captureBeyondViewport": true, "format": "png", "clip": part }))
    }

    fn taken(&self, parameters: Value) -> Vec<u8> {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let taken = self.cdp("Page.captureScreenshot", parameters);
        STANDARD
            .decode(taken["data"].as_str().expect("data"))
            .expect("base64")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser with the session; killed, it would leave it behind.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
