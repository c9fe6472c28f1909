//! The template of an answer: text with `{name}` and `{text}` in it, `{{` and `}}` for braces.

/// A template that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Say(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The sender's name. When he shows none, the blanks before it go as well.
    Name,
    /// The message's own text.
    Message,
}

impl Say {
    /// # Errors
    /// What is wrong, as the end of a sentence.
    pub fn parse(template: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = template.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '{' | '}' if rest.peek() == Some(&c) => {
                    rest.next();
                    text.push(c);
                }
                '{' => {
                    let mut closed = false;
                    let inside = rest.by_ref().take_while(|c| {
                        closed = *c == '}';
                        !closed
                    });
                    let name: String = inside.collect();
                    if !closed {
                        return Err("has a { without its }".to_owned());
                    }
                    let part = match name.as_str() {
                        "name" => Part::Name,
                        "text" => Part::Message,
                        _ => return Err(format!("has the unknown placeholder {{{name}}}")),
                    };
                    parts.push(Part::Text(std::mem::take(&mut text)));
                    parts.push(part);
                }
                '}' => return Err("has a } without its {".to_owned()),
                c => text.push(c),
            }
        }
        parts.push(Part::Text(text));
        parts.retain(|part| *part != Part::Text(String::new()));
        if parts.is_empty() {
            return Err("is empty".to_owned());
        }
        Ok(Self(parts))
    }

    /// The answer to `message` by `name`. What these hold is never read as a template.
    pub fn fill(&self, name: &str, message: &str) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Name if name.trim().is_empty() => out.truncate(out.trim_end().len()),
                Part::Name => out.push_str(name.trim()),
                Part::Message => out.push_str(message),
            }
        }
        out
    }
}
