//! Sizes, as people write them. Pure.

/// A number of bytes: `5G`, `500M`, `1.5GB`, `10GiB`.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size; write a number and one of k, M, G and T, as in `5G`");
    let end = text.find(|one: char| !one.is_ascii_digit() && one != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().map_err(|_| wrong())?;
    let unit = text[end..].trim().to_ascii_lowercase();
    let (letter, base) = match unit.strip_suffix("ib") {
        Some(letter) => (letter, 1024_f64),
        None => (unit.strip_suffix('b').unwrap_or(&unit), 1000.0),
    };
    let power = ["", "k", "m", "g", "t"].iter().position(|known| *known == letter).ok_or_else(wrong)?;
    let bytes = number * base.powi(i32::try_from(power).expect("there are five units"));
    // Below 2^53 all whole numbers are floats; above, a byte more or less is nothing.
    if bytes.is_finite() && bytes < 1e18 { Ok(bytes as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let read = |text| parse(text).ok();
        assert_eq!(
            ["0", "500", "5G", "5GB", "1.5k", "2MiB", "1t"].map(read),
            [
                Some(0),
                Some(500),
                Some(5_000_000_000),
                Some(5_000_000_000),
                Some(1500),
                Some(2 << 20),
                Some(1_000_000_000_000)
            ]
        );
        assert_eq!(["", "G", "5X", "-1", "1..2", "5 apples", "999999999T"].map(read), [None; 7]);
    }
}
