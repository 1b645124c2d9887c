//! Sizes and times as people read them.

use std::time::Duration;

/// `bytes` in the largest binary unit that leaves a number of at least 1.
pub(crate) fn bytes(bytes: u64) -> String {
    for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)] {
        if bytes >> shift > 0 {
            return format!("{:.1} {unit}", bytes as f64 / (1_u64 << shift) as f64);
        }
    }
    format!("{bytes} B")
}

/// `age` in its largest unit.
pub(crate) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    for (unit, size) in [("d", 86_400), ("h", 3600), ("min", 60)] {
        if seconds >= size {
            return format!("{} {unit}", seconds / size);
        }
    }
    format!("{seconds} s")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_largest_unit_that_fits() {
        assert_eq!(super::bytes(1023), "1023 B");
        assert_eq!(super::bytes(3 << 19), "1.5 MiB");
        assert_eq!(super::bytes(12 << 30), "12.0 GiB");
        let age = |seconds| super::age(std::time::Duration::from_secs(seconds));
        assert_eq!(
            [age(59), age(60), age(7200), age(90_000)],
            ["59 s", "1 min", "2 h", "1 d"]
        );
    }
}
