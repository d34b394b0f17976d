//! What the headers of a request demand of its document: that it has a certain entity tag, or that a deleted one is forgotten. Requests
//! of clients and effects of guests are read by the same rules.

use steward_model::operation::Header;

use super::request::{Condition, Tags};

/// A header of a demand that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("header {name} is no list of entity tags such as \"1-7\", and not *")]
pub(crate) struct Unreadable {
    pub name: &'static str,
}

/// What is demanded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Demands {
    /// What must be true of the document.
    pub condition: Condition,
    /// Re-create a deleted document and forget its history: the pragma `xn-force-index-update`.
    pub force: bool,
}

impl Demands {
    /// Returns what the headers of an effect demand; their names are in lower case.
    ///
    /// # Errors
    /// [`Unreadable`] names the header.
    pub(crate) fn of(headers: &[Header]) -> Result<Demands, Unreadable> {
        let mut demands = Demands::default();
        headers.iter().try_for_each(|header| demands.read(&header.name, &header.value))?;
        Ok(demands)
    }

    /// Takes in one header, its name in lower case. Others than those of demands are passed over.
    ///
    /// # Errors
    /// [`Unreadable`] names the header.
    pub(crate) fn read(&mut self, name: &str, value: &str) -> Result<(), Unreadable> {
        match name {
            "if-match" => self.if_match(value),
            "if-none-match" => self.if_none_match(value),
            "pragma" => {
                let mut directives = value.split([',', ';']);
                self.force |= directives.any(|directive| directive.trim() == "xn-force-index-update");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn if_match(&mut self, value: &str) -> Result<(), Unreadable> {
        // Only strong tags match here; a weak one can match nothing, so it is left out.
        add(&mut self.condition.matching, tags("If-Match", value, |weak| !weak)?);
        Ok(())
    }

    fn if_none_match(&mut self, value: &str) -> Result<(), Unreadable> {
        add(&mut self.condition.none_matching, tags("If-None-Match", value, |_| true)?);
        Ok(())
    }
}

/// Adds the tags of one line of a header to those of the lines before it.
fn add(named: &mut Option<Tags>, more: Tags) {
    match (named, more) {
        (Some(Tags::Any), _) => {}
        (Some(Tags::Listed(tags)), Tags::Listed(more)) => tags.extend(more),
        (named, more) => *named = Some(more),
    }
}

/// What stands behind the tag of a state where the answer that shows it is coded.
const CODED: [&str; 2] = ["+gzip", "+zstd"];

/// Returns the tag of the state that a tag names, whether it is that of a coded answer or of the plain one.
pub(crate) fn plain_tag(tag: &str) -> &str {
    CODED.into_iter().find_map(|suffix| tag.strip_suffix(suffix)).unwrap_or(tag)
}

/// Reads a list of entity tags: source RFC 9110, section 8.8.3. Tags without quotes are accepted, for the sake of people
/// with a shell. The tag of a coded answer stands for that of the plain one.
fn tags(name: &'static str, value: &str, take: impl Fn(bool) -> bool) -> Result<Tags, Unreadable> {
    let unreadable = || Unreadable { name };
    let mut rest = value.trim();
    if rest == "*" {
        return Ok(Tags::Any);
    }
    let mut listed = Vec::new();
    while let Some(begin) = rest.find(|character: char| character != ',' && !character.is_ascii_whitespace()) {
        let tag = &rest[begin..];
        let (weak, tag) = tag.strip_prefix("W/").map_or((false, tag), |tag| (true, tag));
        let (opaque, behind) = match tag.strip_prefix('"') {
            // A comma between quotes belongs to the tag.
            Some(quoted) => quoted.split_once('"').ok_or_else(unreadable)?,
            None => tag.split_at(tag.find(',').unwrap_or(tag.len())),
        };
        let is_bare = !tag.starts_with('"');
        let behind = behind.trim_start();
        if !(behind.is_empty() || behind.starts_with(',')) || is_bare && (opaque.contains('"') || opaque == "*") {
            return Err(unreadable());
        }
        if take(weak) {
            listed.push(plain_tag(opaque.trim()).to_owned());
        }
        rest = behind;
    }
    Ok(Tags::Listed(listed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demands(headers: &[(&str, &str)]) -> Result<Demands, Unreadable> {
        let header = |(name, value): &(&str, &str)| Header { name: (*name).to_owned(), value: (*value).to_owned() };
        Demands::of(&headers.iter().map(header).collect::<Vec<_>>())
    }

    #[test]
    fn entity_tags_are_read_with_and_without_quotes() {
        let listed = |tags: &[&str]| Some(Tags::Listed(tags.iter().map(|tag| (*tag).to_owned()).collect()));
        let one_of = |tags: &[&str]| Condition { matching: listed(tags), none_matching: None };
        let none_of = |tags| Condition { matching: None, none_matching: tags };
        let condition = |name, value| demands(&[(name, value)]).expect("tags").condition;
        assert_eq!(condition("if-match", "\"1-7\", \"2-8\""), one_of(&["1-7", "2-8"]));
        assert_eq!(condition("if-match", "1-7"), one_of(&["1-7"]));
        assert_eq!(condition("if-match", "W/\"1-7\""), one_of(&[]));
        assert_eq!(condition("if-match", "*"), Condition { matching: Some(Tags::Any), none_matching: None });
        assert_eq!(condition("if-none-match", "*"), none_of(Some(Tags::Any)));
        assert_eq!(condition("if-none-match", "W/\"1-7\""), none_of(listed(&["1-7"])));
        assert_eq!(condition("if-match", "\"a,b\" ,, W/\"c\", \"1-7+gzip\""), one_of(&["a,b", "1-7"]));
        for refused in ["\"1-7", "\"1-7\" \"1-8\"", "1-7\"", "\"1-7\", *"] {
            assert_eq!(demands(&[("if-match", refused)]), Err(Unreadable { name: "If-Match" }), "{refused}");
        }
    }

    #[test]
    fn what_both_headers_demand_is_demanded_in_whatever_order_they_stand() {
        for order in [[("if-match", "*"), ("if-none-match", "1-7")], [("if-none-match", "1-7"), ("if-match", "*")]] {
            let condition = demands(&order).expect("tags").condition;
            assert!(condition.matches(Some("1-7")) && condition.excludes(Some("1-7")), "{condition:?}");
            assert!(condition.matches(Some("1-8")) && !condition.excludes(Some("1-8")), "{condition:?}");
            assert!(!condition.matches(None) && !condition.excludes(None), "{condition:?}");
        }
        let lines = [("if-none-match", "1-7"), ("if-none-match", "*"), ("if-none-match", "1-8")];
        assert_eq!(demands(&lines).expect("tags").condition.none_matching, Some(Tags::Any));
    }

    #[test]
    fn one_directive_of_a_pragma_forces() {
        assert!(demands(&[("pragma", "xn-no-fwd, xn-force-index-update")]).expect("a pragma").force);
        assert!(!demands(&[("pragma", "no-cache"), ("x-pragma", "xn-force-index-update")]).expect("a pragma").force);
    }
}
