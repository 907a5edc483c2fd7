//! The script's own checks: its types, and the tests of what needs no browser.

use std::path::Path;
use std::process::Command;

/// Runs one of the package's scripts, in the copy that the program's pages were built in.
fn run(script: &str) {
    let package = Path::new(concat!(env!("OUT_DIR"), "/page"));
    let mut command = Command::new("npm");
    command
        .args(["run", "--silent", script])
        .current_dir(package)
        .env(
            "SISTEMO_THEMES",
            concat!(env!("CARGO_MANIFEST_DIR"), "/themes"),
        );
    // Of whoever runs these tests.
    command.env_remove("NODE_OPTIONS");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{problems}");
}

#[test]
fn the_scripts_types_are_right() {
    run("check");
}

#[test]
fn the_scripts_own_tests_pass() {
    run("test");
}
