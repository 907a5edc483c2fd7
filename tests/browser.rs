//! Terminals and the console in a real browser, into real machines.

use std::fmt::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::support::{Browser, Image, Lab, Proxy};

const ENTER: &str = "\u{E007}";
const CONTROL: &str = "\u{E009}";
const ESCAPE: &str = "\u{E00C}";
const LIVE: &str = "document.querySelector('.bar .word').textContent === 'live'";

/// A lab with a machine `web`, whose daemon serves at the far side of a proxy.
async fn served() -> (Lab, Proxy) {
    let (lab, proxy) = (Lab::new(), Proxy::open().await);
    let tiny = lab.image(Image::Tiny);
    let port = proxy.port();
    lab.run(&format!("machine deploy {tiny} --name web")).ok();
    lab.run(&format!("up --detach --listen localhost:{port}"))
        .ok();
    (lab, proxy)
}

/// A browser on the page that a command prints a link to, with what is there alive.
async fn follow(lab: &Lab, proxy: &Proxy, command: &str) -> Browser {
    let link = lab.run(command).ok();
    let browser = Browser::with(&[proxy.argument()]).await;
    browser.goto(link.trim()).await;
    browser.until(LIVE).await;
    browser
}

/// Has the shell say what it computes, so that what was typed is not taken for it.
async fn shell_says(browser: &Browser, command: &str, text: &str) {
    browser.types(&format!("{command}{ENTER}")).await;
    browser.sees(text).await;
}

async fn lawful(browser: &Browser) {
    let violations = browser.violations().await;
    assert!(violations.is_empty(), "{violations:#?}");
}

/// Takes the picture anew that the repository shows, if that is asked for.
async fn show(browser: &Browser, name: &str) {
    let picture = browser.picture().await;
    if std::env::var_os("SISTEMO_UPDATE_SCREENSHOTS").is_some() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots");
        std::fs::write(folder.join(name), picture).unwrap();
    }
}

fn end(lab: &Lab) {
    lab.run("down").ok();
    lab.run("machine delete web -y").ok();
    lab.has_nothing_left();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_link_to_a_shell_that_survives_cuts_and_reloads() {
    let (lab, proxy) = served().await;
    let browser = follow(&lab, &proxy, "machine terminal web --print").await;
    let address = browser.client.current_url().await.unwrap();
    assert_eq!(
        address.fragment(),
        None,
        "the ticket is gone from the address"
    );
    browser
        .until("document.querySelector('.bar .machine').textContent === 'web'")
        .await;
    shell_says(&browser, "kept=there; echo $((6*7))-$(hostname)", "42-web").await;

    // Keys that end something end it.
    browser
        .types(&format!("sleep 600; echo never{ENTER}"))
        .await;
    browser.sees("echo never").await;
    browser.holds(CONTROL, 'c').await;
    shell_says(&browser, "echo $((1+1))-on", "2-on").await;

    // An editor fills the window, follows its size, and what was there comes back.
    browser.types(&format!("vi /tmp/note{ENTER}")).await;
    browser
        .until("sistemo.terminal.buffer.active.type === 'alternate'")
        .await;
    browser.types("iwritten in vi").await;
    browser.sees("written in vi").await;
    show(&browser, "browser-terminal.png").await;
    browser.client.set_window_size(900, 600).await.unwrap();
    // A key that comes at once after Escape would be taken for one with Alt.
    browser.types(ESCAPE).await;
    browser.sees("- /tmp/note").await;
    browser.types(&format!(":wq{ENTER}")).await;
    browser
        .until("sistemo.terminal.buffer.active.type === 'normal'")
        .await;
    shell_says(&browser, "rev /tmp/note", "iv ni nettirw").await;
    let columns = browser.value("sistemo.terminal.cols").await;
    let rows = browser.value("sistemo.terminal.rows").await;
    let size =
        format!("until [ \"$(stty size)\" = '{rows} {columns}' ]; do :; done; echo sized$((1+1))");
    shell_says(&browser, &size, "sized2").await;

    // A megabyte is pasted, and arrives whole.
    let mut text = String::new();
    for line in 0..32_768 {
        writeln!(text, "{line:>31}").unwrap();
    }
    let hash: String = Sha256::digest(&text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let paste = "stty -echo; echo ready$((1+1)); head -c 1048576 >/tmp/paste; stty echo; sha256sum /tmp/paste";
    shell_says(&browser, paste, "ready2").await;
    let lines = "Array.from({ length: 32768 }, (_, line) => `${line}\\n`.padStart(32)).join('')";
    browser
        .value(&format!("sistemo.terminal.paste({lines})"))
        .await;
    browser.sees(&hash).await;

    // What happens while the connection is cut is seen once it is back.
    let wait = "until [ -e /tmp/go ]; do :; done; echo missed$((1+1)); touch /tmp/done";
    browser.types(&format!("{wait}{ENTER}")).await;
    browser.sees("touch /tmp/done").await;
    proxy.cut();
    browser
        .until("document.querySelector('.bar .word').textContent === 'lost'")
        .await;
    lab.run("machine exec web -- touch /tmp/go").ok();
    lab.run("machine exec web -- sh -c 'until [ -e /tmp/done ]; do :; done'")
        .ok();
    assert!(!browser.screen().await.contains("missed2"));
    proxy.mend();
    browser.until(LIVE).await;
    browser.sees("missed2").await;
    lawful(&browser).await;

    // A reload keeps the shell, the screen and what has scrolled off.
    let before = browser.screen().await;
    browser.client.refresh().await.unwrap();
    browser.until(LIVE).await;
    let after = browser.screen().await;
    assert!(
        after.starts_with(before.trim_end()),
        "{before}\n---\n{after}"
    );
    shell_says(&browser, "echo still-$kept", "still-there").await;
    lawful(&browser).await;
    drop(browser);
    end(&lab);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tabs_a_machine_that_stops_and_the_console() {
    let (lab, proxy) = served().await;
    let browser = follow(&lab, &proxy, "machine terminal web --print").await;
    shell_says(&browser, "tab=one; echo $tab$((1+1))", "one2").await;
    let first = browser.client.window().await.unwrap();
    browser.tab().await;
    browser
        .goto(&format!(
            "http://localhost:{}/terminals/machine/web",
            proxy.port()
        ))
        .await;
    browser.until(LIVE).await;
    shell_says(&browser, "echo other-$tab-$((1+1))", "other--2").await;

    // The machine stops, and is started from the page; both tabs have a shell again.
    lab.run("machine stop web").ok();
    browser
        .until(
            "document.querySelector('.lines').innerText.includes('connects again when it is back')",
        )
        .await;
    browser.clicks("Start").await;
    browser.until(LIVE).await;
    shell_says(&browser, "echo again-$((1+1))", "again-2").await;
    lawful(&browser).await;
    browser.client.switch_to_window(first).await.unwrap();
    browser.until(LIVE).await;
    shell_says(&browser, "echo again-$((2+2))", "again-4").await;
    lawful(&browser).await;

    // The console is the one that terminals have.
    browser
        .goto(&format!("http://localhost:{}/", proxy.port()))
        .await;
    browser.until(LIVE).await;
    browser.sees("NAV").await;
    browser
        .until("document.querySelector('.machines summary').textContent === 'Machines (1)'")
        .await;
    show(&browser, "browser-console.png").await;
    browser.types("?").await;
    browser.sees("In the list of machines").await;
    browser.types(ESCAPE).await;
    // The bar has what others change.
    lab.run("machine rename web shop").ok();
    browser
        .until("document.querySelector('.machines a .name').textContent === 'shop'")
        .await;
    browser.sees("shop").await;
    lawful(&browser).await;
    drop(browser);
    lab.run("machine rename shop web").ok();
    end(&lab);
}
