//! Archives made by GNU tar, in each of its formats.

use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

/// What GNU tar makes of `what` in `dir` with these options.
fn tar(dir: &Path, options: &[&str], what: &str) -> Vec<u8> {
    let out = Command::new("tar")
        .args(options)
        .args(["-c", what])
        .current_dir(dir)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(out.status.success());
    out.stdout
}

/// All entries, each with its data (holes filled).
fn read(bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, Error> {
    let mut archive = Archive::new(bytes);
    let mut all = Vec::new();
    while let Some(entry) = archive.next()? {
        let mut data = vec![0; entry.size as usize];
        for segment in &entry.segments {
            let from = segment.offset as usize;
            archive.read_exact(&mut data[from..from + segment.length as usize])?;
        }
        all.push((entry, data));
    }
    Ok(all)
}

#[test]
fn every_format_gives_the_same_sparse_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sparse");
    let file = std::fs::File::create(&path).unwrap();
    use std::os::unix::fs::FileExt;
    // More parts than the old header and one of its extensions hold.
    for part in 0..60u64 {
        file.write_all_at(&[part as u8 + 1; 5000], part * 65536)
            .unwrap();
    }
    file.set_len(60 * 65536 + 12345).unwrap();
    let expected = std::fs::read(&path).unwrap();
    for options in [
        ["--format=gnu", "--sparse"].as_slice(),
        &["--format=posix", "--sparse", "--sparse-version=0.0"],
        &["--format=posix", "--sparse", "--sparse-version=0.1"],
        &["--format=posix", "--sparse", "--sparse-version=1.0"],
        &["--format=ustar"],
    ] {
        let bytes = tar(dir.path(), options, "sparse");
        if options.contains(&"--sparse") {
            assert!(bytes.len() < expected.len() / 2, "tar found the holes");
        }
        let entries = read(&bytes).unwrap();
        assert_eq!(entries.len(), 1);
        let (entry, data) = &entries[0];
        assert_eq!(entry.path, b"sparse", "{options:?}");
        assert!(*data == expected, "{options:?}");
    }
}

#[test]
fn names_and_attributes_may_hold_line_ends() {
    let name: String = format!("{}\nend", "é".repeat(100));
    let value = "a\nb=c\n13 path=evil\n";
    let mut builder = tar::Builder::new(Vec::new());
    let records = [
        ("path", name.as_bytes()),
        ("SCHILY.xattr.user.odd", value.as_bytes()),
    ];
    builder.append_pax_extensions(records).unwrap();
    let mut header = Header::new_ustar();
    header.set_path("short").unwrap();
    header.set_size(0);
    header.set_cksum();
    builder.append(&header, &[][..]).unwrap();
    let entries = read(&builder.into_inner().unwrap()).unwrap();
    assert_eq!(entries[0].0.path, name.as_bytes());
    let attribute = &entries[0].0.attributes[0];
    assert_eq!(
        (attribute.name.as_slice(), attribute.value.as_slice()),
        (b"user.odd".as_slice(), value.as_bytes())
    );
}

#[test]
fn times_before_1970_and_fractions_are_kept() {
    let records = |text: &str| {
        let record = format!("mtime={text}\n");
        let length = record.len() + 3;
        Records::parse(format!("{length} {record}").into_bytes())
            .unwrap()
            .time("mtime")
    };
    let time = |seconds, nanoseconds| Time {
        seconds,
        nanoseconds,
    };
    assert_eq!(
        records("1234567.5").unwrap(),
        Some(time(1_234_567, 500_000_000))
    );
    assert_eq!(records("-1.250000").unwrap(), Some(time(-2, 750_000_000)));
    assert_eq!(records("12345678").unwrap(), Some(time(12_345_678, 0)));
    assert!(records("yesterday").is_err());
}

#[test]
fn a_cut_archive_is_noticed_wherever_it_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), vec![7; 3000]).unwrap();
    let bytes = tar(dir.path(), &["--format=posix"], "file");
    for length in [100, 511, 600, 1024, 1500, 1536, 2000, 4500] {
        assert!(
            matches!(read(&bytes[..length]), Err(Error::Truncated)),
            "cut at {length}"
        );
    }
}

#[test]
fn what_is_not_an_archive_is_refused() {
    assert!(matches!(read(&[b'x'; 2048]), Err(Error::Malformed { .. })));
    assert!(read(&[]).unwrap().is_empty());
    let mut header = Header::new_ustar();
    header.set_path("x").unwrap();
    header.set_entry_type(EntryType::XHeader);
    header.set_size(1 << 40);
    header.set_cksum();
    assert!(
        matches!(read(header.as_bytes()), Err(Error::Malformed { .. })),
        "a huge extension is not read"
    );
}

/// One entry with these PAX records and no data.
fn with_records(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder
        .append_pax_extensions(records.iter().copied())
        .unwrap();
    let mut header = Header::new_ustar();
    header.set_path("file").unwrap();
    header.set_size(0);
    header.set_cksum();
    builder.append(&header, &[][..]).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn numbers_at_the_ends_of_their_range_do_not_wrap() {
    // With its padding this size is one more than 64 bits hold; skipped over, it must not become 0.
    let bytes = with_records(&[("size", b"18446744073709551615")]);
    let mut archive = Archive::new(bytes.as_slice());
    archive.next().unwrap().unwrap();
    assert!(matches!(archive.next(), Err(Error::Truncated)));
    let bytes = with_records(&[("mtime", b"-9223372036854775808.5")]);
    assert!(matches!(read(&bytes), Err(Error::Malformed { .. })));
}

#[test]
fn a_header_full_of_records_takes_no_time() {
    let names: Vec<String> = (0..40_000).map(|n| format!("SCHILY.xattr.{n}")).collect();
    let records: Vec<(&str, &[u8])> = (names.iter())
        .map(|name| (name.as_str(), b"".as_slice()))
        .collect();
    let bytes = with_records(&records);
    let begun = std::time::Instant::now();
    let entries = read(&bytes);
    assert!(
        matches!(entries, Err(Error::Malformed { .. }))
            || entries.unwrap()[0].0.attributes.len() == 40_000
    );
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}
