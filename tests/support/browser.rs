//! A real browser: Chromium without a window, led by its driver (W3C WebDriver).

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use reqwest::{Method, Url};
use serde_json::{Value, json};

/// How long a page may take to show something.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the driver is told before the page's own script runs: it keeps what the page's policy has forbidden.
const WATCH: &str = "window.violations = []; document.addEventListener('securitypolicyviolation', (event) => \
     window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));";

/// Chromium, and whatever it keeps, for a test of its own.
pub struct Browser {
    pub client: Client,
    driver: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// One with a window of 1200 × 800, and these arguments besides.
    pub async fn with(arguments: &[&str]) -> Browser {
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver: install the packages chromium and chromium-driver");
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = port.expect("chromedriver says its port");
        let usual = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1200,800",
        ];
        let folder = format!("--user-data-dir={}", profile.path().display());
        let all = usual
            .iter()
            .chain(arguments)
            .copied()
            .chain([folder.as_str()]);
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": all.collect::<Vec<_>>() },
            "timeouts": { "script": PATIENCE.as_millis() },
        });
        let Value::Object(capabilities) = capabilities else {
            unreachable!("it is an object");
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("chromedriver opens Chromium");
        let browser = Browser {
            client,
            driver,
            _profile: profile,
        };
        browser.watch().await;
        browser
    }

    /// Opens another tab, and goes there.
    pub async fn tab(&self) {
        let opened = self.client.new_window(true).await.unwrap();
        self.client.switch_to_window(opened.handle).await.unwrap();
        self.watch().await;
    }

    /// Has this tab keep what its policies forbid from here on.
    async fn watch(&self) {
        let watch = json!({ "source": WATCH });
        self.devtools("Page.addScriptToEvaluateOnNewDocument", watch)
            .await;
    }

    /// Has the browser's own tools do something (Chrome DevTools Protocol).
    pub async fn devtools(&self, method: &str, parameters: Value) -> Value {
        let command = Devtools(json!({ "cmd": method, "params": parameters }));
        self.client.issue_cmd(command).await.unwrap()
    }

    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// The value of a JavaScript expression in the page.
    pub async fn value(&self, expression: &str) -> Value {
        let script = format!("return ({expression});");
        self.client.execute(&script, Vec::new()).await.unwrap()
    }

    /// Waits until a JavaScript expression holds.
    pub async fn until(&self, expression: &str) {
        let script = format!(
            "const done = arguments[0];
             const holds = () => {{ try {{ return Boolean({expression}); }} catch {{ return false; }} }};
             const timer = setInterval(() => {{ if (holds()) {{ clearInterval(timer); done(true); }} }}, 20);"
        );
        if let Err(error) = self.client.execute_async(&script, Vec::new()).await {
            let shown = self
                .client
                .execute("return document.body.innerText", Vec::new())
                .await;
            panic!(
                "never: {expression}: {error}\n{shown:?}\n{}",
                self.screen().await
            );
        }
    }

    /// Waits until the terminal shows something.
    pub async fn sees(&self, text: &str) {
        let text = json!(text);
        self.until(&format!("({SCREEN}).includes({text})")).await;
    }

    /// What the terminal shows.
    pub async fn screen(&self) -> String {
        let script = format!("return {SCREEN};");
        let text = self.client.execute(&script, Vec::new()).await;
        text.ok()
            .and_then(|text| Some(text.as_str()?.to_owned()))
            .unwrap_or_default()
    }

    /// Types on the keyboard. What has no key of its own is one of WebDriver's code points (section 17.4.2).
    pub async fn types(&self, text: &str) {
        let keys = text
            .chars()
            .fold(KeyActions::new("keyboard".into()), |keys, value| {
                keys.then(KeyAction::Down { value })
                    .then(KeyAction::Up { value })
            });
        self.client.perform_actions(keys).await.unwrap();
    }

    /// Presses a key together with others, which are held: `"\u{E009}\u{E008}"` is Control and Shift.
    pub async fn holds(&self, held: &str, value: char) {
        let down = |keys: KeyActions, value| keys.then(KeyAction::Down { value });
        let up = |keys: KeyActions, value| keys.then(KeyAction::Up { value });
        let keys = held.chars().fold(KeyActions::new("keyboard".into()), down);
        let keys = up(down(keys, value), value);
        self.client
            .perform_actions(held.chars().rev().fold(keys, up))
            .await
            .unwrap();
    }

    /// Clicks on what has this label, for people with a screen reader at least.
    pub async fn clicks(&self, label: &str) {
        let label = json!(label);
        let button = format!(
            "[...document.querySelectorAll('button, summary, a')].find((one) => one.checkVisibility() && \
             (one.textContent === {label} || one.ariaLabel === {label}))"
        );
        self.until(&button).await;
        self.value(&format!("({button}).click()")).await;
    }

    /// What the page's policy has forbidden since it was loaded.
    pub async fn violations(&self) -> Vec<String> {
        serde_json::from_value(self.value("window.violations").await).unwrap()
    }

    /// A picture of the page, as PNG.
    pub async fn picture(&self) -> Vec<u8> {
        // Until it is drawn.
        let drawn =
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done));";
        self.client.execute_async(drawn, Vec::new()).await.unwrap();
        self.client.screenshot().await.unwrap()
    }
}

/// The text of the terminal's whole buffer.
const SCREEN: &str = "(() => { const { buffer } = window.sistemo.terminal; const lines = []; \
     for (let y = 0; y < buffer.active.length; y += 1) { lines.push(buffer.active.getLine(y).translateToString(true)); } \
     return lines.join('\\n'); })()";

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its driver, but not if that is killed alone.
        let group = Pid::from_raw(i32::try_from(self.driver.id()).unwrap());
        let _ = killpg(group, Signal::SIGTERM);
        let _ = self.driver.wait();
        let _ = killpg(group, Signal::SIGKILL);
    }
}

/// A command of Chromium's driver that WebDriver does not have.
#[derive(Debug)]
struct Devtools(Value);

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as FromStr>::Err> {
        base.join(&format!(
            "session/{}/goog/cdp/execute",
            session.unwrap_or_default()
        ))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.to_string()))
    }
}
