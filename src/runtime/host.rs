//! What the system says of the process and of the machine it runs on.

/// The user whose rights the process has.
#[cfg(unix)]
pub fn effective_user() -> u32 {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// There are no numbers of users.
#[cfg(not(unix))]
pub fn effective_user() -> u32 {
    0
}

/// Names one boot of the machine; all zeros where the system does not say.
pub fn boot_id() -> [u8; 16] {
    static BOOT: std::sync::OnceLock<[u8; 16]> = std::sync::OnceLock::new();
    *BOOT.get_or_init(|| {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_or([0; 16], |text| parsed(&text))
    })
}

/// The bytes of a UUID.
fn parsed(text: &str) -> [u8; 16] {
    let digits: String = text.trim().chars().filter(|digit| *digit != '-').collect();
    u128::from_str_radix(&digits, 16).unwrap_or_default().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_is_named_by_its_uuid_or_not_at_all() {
        assert_eq!(parsed("00000000-0000-0000-0000-0000000001ff\n")[14..], [1, 255]);
        assert_eq!((parsed(""), parsed("no uuid")), ([0; 16], [0; 16]));
    }
}
