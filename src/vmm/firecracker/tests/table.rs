//! What the driver may ask of Firecracker's API, written down by hand: methods, paths, fields with their types, and
//! whether a call belongs before the guest's start or after. It is held to the published description when that is at
//! hand (`description`).

use serde_json::Value;

/// When a call is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Before the guest is started.
    Before,
    /// Once it runs.
    After,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    Flag,
    /// A whole number from here to there.
    Number(u64, u64),
    /// One of these words.
    Word(&'static [&'static str]),
    Object(&'static [Field]),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

/// A kind of call. `{…}` in its path stands for a name, which the field of that name has to repeat.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) when: &'static [When],
    pub(crate) fields: &'static [Field],
}

const fn must(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: true,
    }
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: false,
    }
}

const ANY: Kind = Kind::Number(0, u64::MAX);
const BUCKET: &[Field] = &[
    must("refill_time", ANY),
    must("size", ANY),
    may("one_time_burst", ANY),
];
const LIMITER: &[Field] = &[
    may("bandwidth", Kind::Object(BUCKET)),
    may("ops", Kind::Object(BUCKET)),
];
const BEFORE: &[When] = &[When::Before];
const AFTER: &[When] = &[When::After];
const BACKEND: &[Field] = &[
    must("backend_type", Kind::Word(&["File", "Uffd"])),
    must("backend_path", Kind::Text),
];

pub(crate) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "GET",
        path: "/version",
        when: &[When::Before, When::After],
        fields: &[],
    },
    Operation {
        method: "GET",
        path: "/machine-config",
        when: &[When::Before, When::After],
        fields: &[],
    },
    Operation {
        method: "PUT",
        path: "/logger",
        when: BEFORE,
        fields: &[
            may(
                "level",
                Kind::Word(&["Error", "Warning", "Info", "Debug", "Trace", "Off"]),
            ),
            may("log_path", Kind::Text),
            may("show_level", Kind::Flag),
            may("show_log_origin", Kind::Flag),
        ],
    },
    Operation {
        method: "PUT",
        path: "/metrics",
        when: BEFORE,
        fields: &[must("metrics_path", Kind::Text)],
    },
    Operation {
        method: "PUT",
        path: "/machine-config",
        when: BEFORE,
        fields: &[
            must("vcpu_count", Kind::Number(1, 32)),
            must("mem_size_mib", ANY),
            may("smt", Kind::Flag),
            may("huge_pages", Kind::Word(&["None", "Transparent", "2M"])),
        ],
    },
    Operation {
        method: "PUT",
        path: "/boot-source",
        when: BEFORE,
        fields: &[
            must("kernel_image_path", Kind::Text),
            may("initrd_path", Kind::Text),
            may("boot_args", Kind::Text),
        ],
    },
    Operation {
        method: "PUT",
        path: "/drives/{drive_id}",
        when: BEFORE,
        fields: &[
            must("drive_id", Kind::Text),
            must("is_root_device", Kind::Flag),
            may("path_on_host", Kind::Text),
            may("is_read_only", Kind::Flag),
            may("cache_type", Kind::Word(&["Unsafe", "Writeback"])),
            may("io_engine", Kind::Word(&["Sync", "Async"])),
            may("rate_limiter", Kind::Object(LIMITER)),
        ],
    },
    Operation {
        method: "PUT",
        path: "/network-interfaces/{iface_id}",
        when: BEFORE,
        fields: &[
            must("iface_id", Kind::Text),
            must("host_dev_name", Kind::Text),
            may("guest_mac", Kind::Text),
            may("mtu", Kind::Number(68, 65535)),
        ],
    },
    Operation {
        method: "PUT",
        path: "/entropy",
        when: BEFORE,
        fields: &[may("rate_limiter", Kind::Object(LIMITER))],
    },
    Operation {
        method: "PUT",
        path: "/balloon",
        when: BEFORE,
        fields: &[
            must("amount_mib", ANY),
            must("deflate_on_oom", Kind::Flag),
            may("stats_polling_interval_s", ANY),
            may("free_page_reporting", Kind::Flag),
        ],
    },
    Operation {
        method: "PUT",
        path: "/serial",
        when: BEFORE,
        fields: &[
            may("serial_out_path", Kind::Text),
            may("rate_limiter", Kind::Object(BUCKET)),
        ],
    },
    Operation {
        method: "PATCH",
        path: "/vm",
        when: AFTER,
        fields: &[must("state", Kind::Word(&["Paused", "Resumed"]))],
    },
    Operation {
        method: "PUT",
        path: "/snapshot/create",
        when: AFTER,
        fields: &[
            must("mem_file_path", Kind::Text),
            must("snapshot_path", Kind::Text),
            may("snapshot_type", Kind::Word(&["Full", "Diff"])),
        ],
    },
    Operation {
        method: "PUT",
        path: "/snapshot/load",
        when: BEFORE,
        fields: &[
            must("snapshot_path", Kind::Text),
            may("mem_backend", Kind::Object(BACKEND)),
            may("resume_vm", Kind::Flag),
            may(
                "huge_pages",
                Kind::Word(&["Snapshot", "None", "Transparent", "2M"]),
            ),
        ],
    },
    Operation {
        method: "PUT",
        path: "/actions",
        // Which action belongs where is looked at apart.
        when: &[When::Before, When::After],
        fields: &[must(
            "action_type",
            Kind::Word(&["FlushMetrics", "InstanceStart", "SendCtrlAltDel"]),
        )],
    },
];

/// Says what is wrong with a call.
pub(crate) fn check(method: &str, path: &str, body: &Value, now: When) -> Result<(), String> {
    let (operation, name) = (OPERATIONS.iter())
        .filter(|operation| operation.method == method)
        .find_map(|operation| Some((operation, matches(operation.path, path)?)))
        .ok_or_else(|| format!("there is no {method} {path}"))?;
    if !operation.when.contains(&now) {
        return Err(format!("{method} {path} is not allowed {now:?} the start"));
    }
    if method == "GET" {
        // parsed_request.rs in Firecracker's source: a question with a body is refused.
        return match body {
            Value::Null => Ok(()),
            body => Err(format!("{method} {path} has a body: {body}")),
        };
    }
    check_fields(operation.fields, body, path)?;
    if let Some((field, name)) = name
        && body[field] != name
    {
        return Err(format!("{path} is about {}", body[field]));
    }
    if path == "/actions" {
        let starts = body["action_type"] == "InstanceStart";
        if starts != (now == When::Before) {
            return Err(format!("{} {now:?} the start", body["action_type"]));
        }
    }
    Ok(())
}

/// Whether a path is of a pattern; the field and the name that stand at its end, if the pattern has one.
fn matches<'a>(pattern: &'static str, path: &'a str) -> Option<Option<(&'static str, &'a str)>> {
    let Some((base, field)) = pattern.split_once('{') else {
        return (pattern == path).then_some(None);
    };
    let name = path.strip_prefix(base).filter(|name| !name.is_empty())?;
    Some(Some((field.trim_end_matches('}'), name)))
}

fn check_fields(fields: &[Field], body: &Value, at: &str) -> Result<(), String> {
    let Some(object) = body.as_object() else {
        return Err(format!("{at}: {body} is not an object"));
    };
    for name in object.keys() {
        if !fields.iter().any(|field| field.name == name) {
            return Err(format!("{at}: there is no field {name}"));
        }
    }
    for field in fields {
        let here = format!("{at}.{}", field.name);
        match object.get(field.name) {
            None if field.required => return Err(format!("{here} is missing")),
            None => {}
            Some(value) => check_value(field.kind, value, &here)?,
        }
    }
    Ok(())
}

fn check_value(kind: Kind, value: &Value, at: &str) -> Result<(), String> {
    let fits = match kind {
        Kind::Text => value.is_string(),
        Kind::Flag => value.is_boolean(),
        Kind::Number(least, most) => {
            (value.as_u64()).is_some_and(|number| (least..=most).contains(&number))
        }
        Kind::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Kind::Object(fields) => return check_fields(fields, value, at),
    };
    match fits {
        true => Ok(()),
        false => Err(format!("{at}: {value} is not {kind:?}")),
    }
}
