//! What a guest's processor is made of, as far as a saved state depends on it.

use sha2::{Digest, Sha256};

use super::accelerator::Accelerator;

/// The host's processor for a guest that it executes: its model, and a digest of its features, since a guest that has
/// found a feature goes on using it. Empty under software emulation, where the hypervisor's version says it all.
pub fn processor(accelerator: Accelerator) -> String {
    match accelerator {
        Accelerator::Tcg => String::new(),
        Accelerator::Kvm => {
            of_cpuinfo(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
        }
    }
}

/// From the first processor of `/proc/cpuinfo` (proc(5)).
fn of_cpuinfo(text: &str) -> String {
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim())
            .unwrap_or_default()
    };
    let mut features: Vec<&str> = field("flags").split_whitespace().collect();
    features.sort_unstable();
    let digest = Sha256::digest(features.join(" "));
    let short: String = digest[..4].iter().map(|b| format!("{b:02x}")).collect();
    format!("{} ({short})", field("model name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_more_is_another_processor_and_their_order_is_not() {
        let of = |flags: &str| {
            of_cpuinfo(&format!(
                "processor\t: 0\nmodel name\t: A CPU @ 2.00GHz\nflags\t\t: {flags}\n"
            ))
        };
        assert_eq!(of("fpu sse avx"), of("avx fpu sse"));
        assert_ne!(of("fpu sse"), of("fpu sse avx"));
        assert!(of("fpu").starts_with("A CPU @ 2.00GHz ("), "{}", of("fpu"));
        assert_eq!(processor(Accelerator::Tcg), "");
    }
}
