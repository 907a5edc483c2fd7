//! Builds the pages for the browser (`ui/web/page`) with npm, when they are to be part of the program; before that it says
//! which of the things that tests may use is at hand.
//!
//! All of the building happens in a copy under `OUT_DIR`, so that nothing is written among the sources and several builds do not
//! meet: `page/` is the copy with npm's packages, `pages/` what the program embeds. Packages are installed when the lock
//! file has changed, from npm's cache where it has them.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs, io};

/// The package, and what of it the build reads. Whatever else lies there is npm's.
const PACKAGE: &str = "ui/web/page";
const SOURCES: &[&str] = &[
    ".npmrc",
    "build.mjs",
    "package-lock.json",
    "package.json",
    "plugin.mjs",
    "src",
    "test",
    "test.mjs",
    "themes.mjs",
    "tsconfig.json",
];
/// The console's themes, which are the pages', too.
const THEMES: &str = "themes";

/// What tests use when a variable names it, and are ignored without; each becomes a `cfg`.
const AT_HAND: &[(&str, &str)] = &[
    ("SISTEMO_TEST_FIRECRACKER", "real_firecracker"),
    ("SISTEMO_TEST_FIRECRACKER_API", "firecracker_api"),
];

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    for (variable, name) in AT_HAND {
        println!("cargo::rerun-if-env-changed={variable}");
        println!("cargo::rustc-check-cfg=cfg({name})");
        if env::var_os(variable).is_some_and(|value| !value.is_empty()) {
            println!("cargo::rustc-cfg={name}");
        }
    }
    if env::var_os("CARGO_FEATURE_BROWSER").is_none() {
        return ExitCode::SUCCESS;
    }
    for source in SOURCES {
        println!("cargo::rerun-if-changed={PACKAGE}/{source}");
    }
    println!("cargo::rerun-if-changed={THEMES}");
    match pages() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in error.to_string().lines() {
                println!("cargo::error={line}");
            }
            println!(
                "cargo::error=the pages for the browser need Node.js 18 or later with npm; to build without them: \
                 cargo build --no-default-features --features program"
            );
            ExitCode::FAILURE
        }
    }
}

fn pages() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    let package = out.join("page");
    fs::create_dir_all(&package)?;
    for source in SOURCES {
        let copy = package.join(source);
        // Files that are gone from the sources are to be gone here.
        remove(&copy)?;
        copy_all(&Path::new(PACKAGE).join(source), &copy)
            .map_err(|error| format!("{PACKAGE}/{source}: {error}"))?;
    }
    install(&package)?;
    let themes = fs::canonicalize(THEMES)?;
    let names = run(Command::new("node")
        .arg("build.mjs")
        .args([&out.join("pages"), &themes])
        .current_dir(&package))?;
    for name in names.lines() {
        println!("cargo::rustc-env={name}");
    }
    Ok(())
}

/// Installs what the lock file names, unless that has been done.
fn install(package: &Path) -> Result<(), Box<dyn Error>> {
    let lock = fs::read(package.join("package-lock.json"))?;
    let installed = package.join("node_modules/.installed");
    if fs::read(&installed).is_ok_and(|of| of == lock) {
        return Ok(());
    }
    // esbuild's program is a package of its own for each platform, so that no script has to run.
    run(Command::new("npm")
        .args([
            "ci",
            "--ignore-scripts",
            "--prefer-offline",
            "--no-audit",
            "--no-fund",
        ])
        .current_dir(package))?;
    Ok(fs::write(installed, lock)?)
}

/// Runs a program, and gives what it prints.
fn run(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let shown = format!("{command:?}");
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {shown}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    Err(format!("{shown} failed ({})\n{}", output.status, said.trim_end()).into())
}

fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(|_| ());
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy_all(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    removed.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}
