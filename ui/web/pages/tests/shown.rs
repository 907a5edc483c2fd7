//! The terminal page in a real browser: getting in, typing, and coming back.

use std::path::Path;

use serde_json::json;

use super::driver::Browser;
use super::site::Site;

const TERMINAL: &str = "/terminals/vm/web";
const ENTER: &str = "\u{E007}";
const CONTROL: &str = "\u{E009}";
const CONTROL_SHIFT: &str = "\u{E009}\u{E008}";

/// A browser on a page that it has entered by a ticket, with its terminal live.
pub(super) async fn enter(site: &Site, path: &str, arguments: &[&str]) -> Browser {
    let browser = Browser::with(arguments).await;
    browser
        .goto(&site.url(&format!("{path}#ticket=good-ticket")))
        .await;
    live(&browser).await;
    browser
}

pub(super) async fn live(browser: &Browser) {
    browser
        .until("document.querySelector('.bar .word').textContent === 'live'")
        .await;
}

/// Nothing that the page did was against its policy.
#[track_caller]
pub(super) fn lawful(violations: &[String]) {
    assert!(violations.is_empty(), "{violations:#?}");
}

/// Keeps a picture in `target/pictures`, to be looked at.
async fn keep(browser: &Browser, name: &str) {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/target/pictures")).to_owned();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.png")), browser.picture().await).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_lets_in_and_what_is_typed_arrives() {
    let site = Site::open().await;
    let browser = enter(&site, TERMINAL, &[]).await;
    assert_eq!(
        browser.client.current_url().await.unwrap().as_str(),
        site.url(TERMINAL)
    );
    assert!(site.peer.known().tickets.is_empty());

    browser.types("hello").await;
    browser.sees("hello").await;
    browser.types(ENTER).await;
    browser.holds(CONTROL, 'c').await;
    site.peer
        .until("the keys", |known| known.session().typed == b"hello\r\x03")
        .await;

    site.peer.prints("\x1b]2;vi \u{202e}notes\x07\x1b[38;2;255;100;0mcoloured\x1b[0m \u{1F980} \x1b[4mlined\x1b[0m");
    browser.sees("coloured").await;
    browser.until("document.title === 'web — vi notes'").await;
    browser
        .until("/ms$/.test(document.querySelector('.delay').textContent)")
        .await;
    site.peer
        .until("all is acknowledged", |known| {
            known.session().acknowledged == known.session().stream.len()
        })
        .await;
    lawful(&browser.violations().await);
    keep(&browser, "terminal").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_webgl_it_looks_the_same_and_is_lawful() {
    let site = Site::open().await;
    let browser = enter(&site, TERMINAL, &["--disable-3d-apis"]).await;
    browser
        .until("document.querySelector('.terminal').dataset.renderer === 'dom'")
        .await;
    site.peer
        .prints("\x1b[38;2;255;100;0mcoloured\x1b[0m \x1b[48;5;22mground\x1b[0m");
    browser.sees("ground").await;
    let colour = "[...document.querySelectorAll('.xterm-rows span')].some((span) => \
        span.textContent.includes('coloured') && getComputedStyle(span).color === 'rgb(255, 100, 0)')";
    browser.until(colour).await;
    let sized = "getComputedStyle(document.querySelector('.xterm-rows > div')).height !== 'auto'";
    browser.until(sized).await;
    lawful(&browser.violations().await);
    keep(&browser, "terminal-without-webgl").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_lets_in_and_nothing_else_does() {
    let site = Site::open().await;
    let browser = Browser::with(&[]).await;
    browser
        .goto(&site.url(&format!("{TERMINAL}#ticket=used")))
        .await;
    browser
        .until("document.querySelector('.login .problem').textContent === 'that lets nobody in'")
        .await;
    assert!(site.peer.known().sessions.is_empty());
    keep(&browser, "login").await;
    browser.types("wrong").await;
    browser.types(ENTER).await;
    browser
        .until("document.activeElement.selectionEnd === 5")
        .await;
    browser.types("good-token").await;
    browser.types(ENTER).await;
    live(&browser).await;
    browser.types("x").await;
    browser.sees("x").await;

    // The server forgets everybody: the page asks again, and goes on where it was.
    site.peer.prints("still here");
    browser.sees("still here").await;
    site.peer.change(|known| known.logged_in = false);
    site.peer.cuts();
    browser
        .until("document.querySelector('.login') !== null")
        .await;
    browser.types("good-token").await;
    browser.types(ENTER).await;
    live(&browser).await;
    browser.sees("still here").await;
    assert_eq!(site.peer.known().sessions.len(), 1);
    lawful(&browser.violations().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_keeps_screen_scrollback_and_session() {
    let site = Site::open().await;
    let browser = enter(&site, TERMINAL, &[]).await;
    for line in 0..500 {
        site.peer
            .prints(format!("line \x1b[32m{line}\x1b[0m \u{e9}\r\n"));
    }
    // The page goes away in the middle of a letter and of an escape sequence.
    site.peer.prints("prompt$ \x1b[1mbold\x1b[0m\x1b[3");
    browser.sees("prompt$ bold").await;
    site.peer
        .until("all is drawn", |known| {
            known.session().acknowledged == known.session().stream.len()
        })
        .await;
    let before = browser.screen().await;
    browser.client.refresh().await.unwrap();
    live(&browser).await;
    assert_eq!(browser.screen().await, before);
    let known = site.peer.known();
    assert_eq!((known.sessions.len(), known.session().connections), (1, 2));
    assert_eq!(
        known.session().asked,
        Some(known.session().stream.len() - 3)
    );

    site.peer.prints("1m and red");
    browser.sees("prompt$ bold and red").await;
    browser.types("!").await;
    browser.sees("and red!").await;
    assert!(before.contains("line 0 \u{e9}"), "{before}");

    // Without what the tab has kept, the server says it again, and nothing is answered twice.
    site.peer.change(|known| known.echoes = false);
    site.peer.prints("\x1b[c");
    site.peer
        .until("an answer", |known| {
            known.session().typed.starts_with(b"!\x1b[?")
        })
        .await;
    let answered = site.peer.known().session().typed.len();
    site.peer
        .until("all is drawn", |known| {
            known.session().acknowledged == known.session().stream.len()
        })
        .await;
    let lose = "window.addEventListener('pagehide', () => sessionStorage.setItem('sistemo.tab', \
        JSON.stringify({ ...JSON.parse(sessionStorage.getItem('sistemo.tab')), screen: null })))";
    browser.value(lose).await;
    browser.client.refresh().await.unwrap();
    live(&browser).await;
    browser.sees("and red!").await;
    assert_eq!(site.peer.known().session().asked, Some(0));
    browser.types("?").await;
    site.peer
        .until("a key", |known| known.session().typed.ends_with(b"?"))
        .await;
    assert_eq!(site.peer.known().session().typed.len(), answered + 1);
    lawful(&browser.violations().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_cut_comes_back_with_what_was_missed() {
    let site = Site::open().await;
    let browser = enter(&site, TERMINAL, &[]).await;
    site.peer.prints("before ");
    browser.sees("before").await;
    site.peer.change(|known| known.closed = true);
    site.peer.cuts();
    browser
        .until("document.querySelector('.bar .word').textContent === 'lost'")
        .await;
    browser
        .until(
            "document.querySelector('.line.error').textContent.includes('the connection is lost')",
        )
        .await;
    site.peer.prints("meanwhile ");
    browser.types("nobody hears this").await;
    browser
        .until("document.querySelector('.lines').textContent.includes('goes nowhere')")
        .await;
    site.peer.change(|known| known.closed = false);
    live(&browser).await;
    browser.sees("before meanwhile").await;
    browser.types("after").await;
    browser.sees("before meanwhile after").await;
    let known = site.peer.known();
    assert_eq!(
        (known.sessions.len(), known.session().typed.as_slice()),
        (1, &b"after"[..])
    );
    assert_eq!(known.session().asked, Some("before ".len()));
    lawful(&browser.violations().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_megabyte_is_pasted_and_a_flood_leaves_the_keys_alone() {
    let site = Site::open().await;
    site.peer.change(|known| known.echoes = false);
    let browser = enter(&site, TERMINAL, &[]).await;
    let text = "0123456789abcdef".repeat(65_536);
    browser
        .value("sistemo.terminal.paste('0123456789abcdef'.repeat(65536))")
        .await;
    site.peer
        .until("a paste", |known| known.session().typed.len() >= text.len())
        .await;
    assert!(site.peer.known().session().typed == text.as_bytes());

    // A flood of 20 MB; a key that is typed into it arrives long before its end.
    let flood =
        "\x1b[33mflood of lines that nobody reads\x1b[0m, over and over again, of usual length\r\n"
            .repeat(250_000);
    site.peer.prints(&flood);
    site.peer
        .until("the flood", |known| known.session().acknowledged > 1 << 20)
        .await;
    browser.types("k").await;
    site.peer
        .until("a key", |known| known.session().typed.ends_with(b"k"))
        .await;
    let known = site.peer.known();
    assert!(
        known.session().acknowledged < flood.len() / 2,
        "{}",
        known.session().acknowledged
    );
    site.peer
        .until("all of it", |known| {
            known.session().acknowledged == known.session().stream.len()
        })
        .await;
    lawful(&browser.violations().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guest_knows_the_windows_size_and_letters_grow() {
    let site = Site::open().await;
    let browser = enter(&site, TERMINAL, &[]).await;
    let (columns, rows) = site.peer.known().session().size;
    assert!(columns > 80 && rows > 24, "{columns} × {rows}");
    browser.client.set_window_size(800, 500).await.unwrap();
    site.peer
        .until("less room", |known| {
            known.session().size.0 < columns && known.session().size.1 < rows
        })
        .await;
    let (columns, rows) = site.peer.known().session().size;
    browser.holds(CONTROL, '+').await;
    browser.clicks("Larger (Ctrl +)").await;
    site.peer
        .until("larger letters", |known| known.session().size.0 < columns)
        .await;
    browser.holds(CONTROL, '0').await;
    site.peer
        .until("usual letters", |known| {
            known.session().size == (columns, rows)
        })
        .await;
    assert_eq!(site.peer.known().session().typed, b"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_printed_is_found_and_themes_change_every_tab() {
    let site = Site::open().await;
    let browser = enter(&site, TERMINAL, &[]).await;
    site.peer.prints("one needle\r\n".repeat(3));
    site.peer.prints("hay\r\n".repeat(200));
    browser
        .until("sistemo.terminal.buffer.active.baseY > 100")
        .await;
    browser.holds(CONTROL_SHIFT, 'f').await;
    browser.types("needle").await;
    browser
        .until("/^. of 3$/.test(document.querySelector('.find output').textContent)")
        .await;
    keep(&browser, "find").await;
    browser.types("\u{E00C}").await;
    browser.until("document.querySelector('.find').hidden && document.activeElement === sistemo.terminal.textarea").await;
    assert_eq!(site.peer.known().session().typed, b"");

    let first = browser.client.window().await.unwrap();
    browser.tab().await;
    browser.goto(&site.url(TERMINAL)).await;
    live(&browser).await;
    let choose = "(() => { const select = document.querySelector('.bar select'); select.value = 'solarized-light'; \
        select.dispatchEvent(new Event('change')); })()";
    browser.value(choose).await;
    for _ in 0..2 {
        browser
            .until("sistemo.terminal.options.theme.background === '#fdf6e3'")
            .await;
        browser
            .until(
                "getComputedStyle(document.documentElement).getPropertyValue('--bg') === '#fdf6e3'",
            )
            .await;
        browser
            .client
            .switch_to_window(first.clone())
            .await
            .unwrap();
    }
    keep(&browser, "light").await;
    assert_eq!(site.peer.known().sessions.len(), 2);
    assert_eq!(
        browser.value("localStorage.getItem('sistemo.theme')").await,
        json!("solarized-light")
    );
    lawful(&browser.violations().await);
}
