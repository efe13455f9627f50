//! One line of text: what is said of a row never breaks the line of a log that it is said in.

/// The text with everything that ends or rewrites a line made visible, such as `\n` and `\u{1b}`. What has been made
/// visible once stays as it is.
pub fn one_line(text: String) -> String {
    if !text.contains(breaks) {
        return text;
    }
    let mut line = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if breaks(letter) { line.extend(letter.escape_default()) } else { line.push(letter) }
    }
    line
}

/// Control characters, the two separators of Unicode, and what turns the direction of writing.
fn breaks(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_or_rewrites_a_line_is_made_visible() {
        for (text, line) in [
            ("a \"key\" with ümläuts, tabs\\n and 旗", "a \"key\" with ümläuts, tabs\\n and 旗"),
            ("a\nERROR forged", "a\\nERROR forged"),
            ("\r\n\t\0", "\\r\\n\\t\\u{0}"),
            ("\u{1b}[2J\u{7f}\u{85}", "\\u{1b}[2J\\u{7f}\\u{85}"),
            ("\u{2028}\u{2029}\u{202e}\u{2066}", "\\u{2028}\\u{2029}\\u{202e}\\u{2066}"),
        ] {
            assert_eq!(one_line(text.into()), line);
            assert_eq!(one_line(line.into()), line, "once is enough");
        }
    }
}
