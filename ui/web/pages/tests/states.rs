//! What the pages say and offer when something is not as usual, and what a hostile guest does not get.

use serde_json::json;

use super::shown::{enter, lawful, live};
use super::site::Site;

const TERMINAL: &str = "/terminals/machine/web";
const ENTER: &str = "\u{E007}";

fn word(word: &str) -> String {
    format!("document.querySelector('.bar .word').textContent === '{word}'")
}

fn says(text: &str) -> String {
    format!("document.querySelector('.lines').innerText.includes('{text}')")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_machine_is_started_and_an_ended_shell_opened_again() {
    let site = Site::open().await;
    let browser = enter(&site, TERMINAL, &[]).await;
    site.peer.prints("\x1b[?1049h\x1b[?1002hin an editor");
    site.peer.says(
        json!({ "state": "waiting", "message": "machine web is stopped",
        "hint": "start it: sistemo machine start web" }),
    );
    browser.until(&word("waiting")).await;
    browser
        .until(&says(
            "machine web is stopped; this terminal connects again when it is back",
        ))
        .await;
    browser
        .until("document.querySelector('.line code').textContent === 'sistemo machine start web'")
        .await;
    browser.clicks("Start").await;
    site.peer
        .until("a start", |known| known.started == ["0f8e"])
        .await;

    // The next shell has a terminal as if it were new, and nothing is written into it.
    site.peer.says(json!({ "state": "live" }));
    live(&browser).await;
    browser
        .until("sistemo.terminal.buffer.active.type === 'normal'")
        .await;
    browser
        .until("sistemo.terminal.modes.mouseTrackingMode === 'none'")
        .await;

    site.peer.prints("bye");
    site.peer.says(json!({ "state": "ended", "exit": 3 }));
    browser
        .until(&says("the shell has ended with 3; Enter opens a new one"))
        .await;
    browser.types("x").await;
    browser.until(&says("goes nowhere")).await;
    browser.types(ENTER).await;
    site.peer
        .until("another shell", |known| known.session().again == 1)
        .await;
    live(&browser).await;
    site.peer.prints("again$ ");
    browser.sees("bye\nagain$").await;
    assert_eq!(site.peer.known().session().typed, b"");

    site.peer
        .says(json!({ "state": "refused", "message": "no shell", "hint": "try later" }));
    browser.until(&word("refused")).await;
    browser.clicks("Try again").await;
    site.peer
        .until("another try", |known| known.session().again == 2)
        .await;
    site.peer
        .says(json!({ "state": "gone", "message": "machine web was deleted" }));
    browser.until(&says("machine web was deleted")).await;
    lawful(&browser.violations().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_is_not_there_is_said_to_be_gone() {
    let site = Site::open().await;
    let browser = enter(&site, TERMINAL, &[]).await;
    browser.goto(&site.url("/terminals/vm/none")).await;
    browser.until(&word("gone")).await;
    browser.until(&says("there is no machine none")).await;
    lawful(&browser.violations().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duplicated_tab_leaves_its_origin_alone_and_a_taken_session_is_taken_back() {
    let site = Site::open().await;
    let browser = enter(&site, TERMINAL, &[]).await;
    site.peer.prints("mine");
    browser.sees("mine").await;
    // What a tab keeps when it is duplicated is a copy of what its origin keeps.
    let kept = "(() => { window.dispatchEvent(new PageTransitionEvent('pagehide')); \
        return sessionStorage.getItem('sistemo.tab'); })()";
    let kept = browser.value(kept).await;
    browser.client.refresh().await.unwrap();
    live(&browser).await;
    let first = browser.client.window().await.unwrap();
    browser.tab().await;
    browser.goto(&site.url("/terminals/vm/none")).await;
    browser
        .value(&format!(
            "sessionStorage.setItem('sistemo.tab', {})",
            json!(kept).as_str().map_or(json!(null), |kept| json!(kept))
        ))
        .await;
    browser.goto(&site.url(TERMINAL)).await;
    live(&browser).await;
    assert_eq!(
        site.peer.known().sessions.len(),
        2,
        "it has a session of its own"
    );
    assert!(!browser.screen().await.contains("mine"));

    // Somebody takes the session all the same.
    browser.client.switch_to_window(first).await.unwrap();
    live(&browser).await;
    let thief = "(() => { const session = 'session-0'; window.thief = new WebSocket(`ws://${location.host}\
        /api/v1/machines/web/terminal?cols=80&rows=24&session=${session}&offset=0`, \
        ['sistemo.terminal.v1', `sistemo.key.${localStorage.getItem('sistemo.key')}`]); })()";
    browser.value(thief).await;
    browser
        .until(&says("this terminal is open in another tab"))
        .await;
    browser
        .until("window.thief.readyState === WebSocket.OPEN")
        .await;
    browser.clicks("Take it back").await;
    live(&browser).await;
    browser
        .until("window.thief.readyState === WebSocket.CLOSED")
        .await;
    browser.sees("mine").await;
    lawful(&browser.violations().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_copies_only_when_allowed_never_reads_and_opens_nothing_by_itself() {
    let site = Site::open().await;
    site.peer.change(|known| known.echoes = false);
    let browser = enter(&site, TERMINAL, &[]).await;
    let grant = json!({ "permission": { "name": "clipboard-read" }, "setting": "granted" });
    browser.devtools("Browser.setPermission", grant).await;
    site.peer.prints("\x1b]52;c;?\x07\x1b]52;c;aGVsbG8=\x07");
    browser
        .until(&says("web wants to put 5 letters into your clipboard"))
        .await;
    browser.clicks("Never here").await;
    site.peer.prints("\x1b]52;c;aGVsbG8=\x07done");
    browser.sees("done").await;
    browser
        .until("document.querySelector('.line') === null")
        .await;
    browser.value("sessionStorage.clear()").await;
    site.peer.prints("\x1b]52;c;aGVsbG8=\x07");
    browser.clicks("Allow here").await;
    browser
        .until("document.querySelector('.line') === null")
        .await;
    let read = "(navigator.clipboard.readText().then((text) => { window.read = text; }), true)";
    browser.until(read).await;
    browser.until("window.read === 'hello'").await;
    browser.clicks("Paste (Ctrl-Shift-V)").await;
    site.peer
        .until("a paste", |known| known.session().typed == b"hello")
        .await;

    // Links are asked about, with all that they are; other schemes are none.
    site.peer.prints("\r\n\x1b]8;;https://example.org@evil.test/x?y\x07click\x1b]8;;\x07 \x1b]8;;javascript:alert(1)\x07no\x1b]8;;\x07");
    browser.sees("click no").await;
    let click = |text: &str| {
        format!("sistemo.terminal.options.linkHandler.activate(new MouseEvent('click'), '{text}')")
    };
    browser.value(&click("javascript:alert(1)")).await;
    assert_eq!(
        browser.value("document.querySelector('dialog')").await,
        json!(null)
    );
    browser
        .value(&click("https://example.org@evil.test/x?y"))
        .await;
    browser.until("document.querySelector('dialog .address').textContent === 'https://example.org@evil.test/x?y'").await;
    browser
        .until("document.querySelector('dialog strong').textContent === 'evil.test'")
        .await;
    browser.types("\u{E00C}").await;
    browser
        .until("document.querySelector('dialog') === null")
        .await;
    assert_eq!(browser.client.windows().await.unwrap().len(), 1);

    // Nothing that a guest prints is ever more than text.
    let hostile = "<img src=x onerror=alert(1)>";
    site.peer.prints(format!("\x1b]2;{hostile}\x07{hostile}"));
    site.peer
        .says(json!({ "state": "refused", "message": hostile, "hint": hostile }));
    browser
        .until(&format!("document.title.includes('{hostile}')"))
        .await;
    browser.until(&says(hostile)).await;
    assert_eq!(
        browser
            .value("document.querySelectorAll('img').length")
            .await,
        json!(0)
    );
    lawful(&browser.violations().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_has_the_mouse_and_links_to_machines() {
    let site = Site::open().await;
    let browser = enter(&site, "/", &[]).await;
    site.peer
        .prints("\x1b[?1049h\x1b[?1000h\x1b[?1006hthe console");
    browser.sees("the console").await;
    browser
        .until("sistemo.terminal.modes.mouseTrackingMode === 'vt200'")
        .await;
    let screen = browser
        .client
        .find(fantoccini::Locator::Css(".xterm-screen"))
        .await
        .unwrap();
    screen.click().await.unwrap();
    site.peer
        .until("the mouse", |known| {
            known.session().typed.starts_with(b"\x1b[<0;")
        })
        .await;

    browser
        .until("document.querySelector('.machines summary').textContent === 'Machines (2)'")
        .await;
    browser.clicks("Machines (2)").await;
    let link = "document.querySelector('.machines a').getAttribute('href')";
    assert_eq!(browser.value(link).await, json!("/terminals/vm/web"));
    browser
        .value("document.querySelector('.machines a').click()")
        .await;
    let windows = async || browser.client.windows().await.unwrap();
    let begun = std::time::Instant::now();
    while windows().await.len() < 2 {
        assert!(begun.elapsed().as_secs() < 60, "no other tab");
    }
    let tab = windows().await.pop().unwrap();
    browser.client.switch_to_window(tab).await.unwrap();
    live(&browser).await;
    browser.until("document.title === 'web'").await;

    // Who logs out is out.
    browser
        .value("document.querySelector('.bar .menu').open = true")
        .await;
    browser.clicks("Log out").await;
    browser
        .until("document.querySelector('.login') !== null")
        .await;
    assert_eq!(
        browser.value("localStorage.getItem('sistemo.key')").await,
        json!(null)
    );
}
