//! Tables: columns without lines, as people paste them, no wider than the terminal that shows them.
//!
//! A table that is too wide gives up width where most of it is: the widest columns are shortened first, and evenly. The first column holds
//! the names by which rows can be asked for; it is shortened last, and in the middle, where names differ least. What still does not
//! fit is left out at the right, which the head says.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement};
use steward_model::line::shown;

/// Least characters of a cell to which its column is shortened.
const CELL_CHARACTERS_MIN: usize = 6;

/// Blanks between columns.
const GAP: usize = 2;

pub(super) struct Table {
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
    /// The column that tells how the thing of its row stands, if there is one.
    standing: Option<usize>,
}

/// Codes of colours: source ECMA-48, SGR.
const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "31";

/// Returns a text without what would begin another row or column.
pub(super) fn in_one_row(text: &str) -> String {
    text.replace(['\n', '\t', '\r'], " ")
}

impl Table {
    /// Creates a table with these heads and no rows.
    pub(super) fn new<H: Into<String>>(heads: impl IntoIterator<Item = H>) -> Table {
        let heads = heads.into_iter().map(|head| shown(&head.into().to_uppercase()).into_owned()).collect();
        Table { heads, rows: Vec::new(), standing: None }
    }

    /// Says which column tells how the thing of its row stands, counted from 0: it is coloured where tables are.
    #[must_use]
    pub(super) fn standing(self, column: usize) -> Table {
        Table { standing: Some(column), ..self }
    }

    /// Adds a row. The first cell is the name by which the row can be asked for.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        // Before widths are measured: what would command a terminal takes more room when it is shown. A line break in a cell would begin
        // what passes for a row.
        self.rows.push(cells.iter().map(|cell| shown(&in_one_row(cell)).into_owned()).collect());
    }

    /// Returns the lines of [`Table::render`], with the words in colour that say how something stands.
    pub(super) fn coloured(&self, columns: Option<usize>) -> String {
        let plain = self.render(columns);
        let Some(column) = self.standing else { return plain };
        let mut lines = plain.lines().map(str::to_owned).collect::<Vec<_>>();
        // Colours have no width, so they come last; the head has none.
        for (line, cells) in lines.iter_mut().skip(1).zip(&self.rows) {
            if let Some(cell) = cells.get(column) {
                paint(line, cell);
            }
        }
        lines.join("\n")
    }

    /// Returns the lines; columns of numbers stand at the right. None of `columns`: as wide as it is, for another program may read it.
    pub(super) fn render(&self, columns: Option<usize>) -> String {
        let widths = match columns {
            Some(columns) => fitted(&self.widths(), columns),
            None => vec![usize::MAX; self.heads.len()],
        };
        let mut table = comfy_table::Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let shown = widths.len().min(self.heads.len());
        let line = |cells: &[String]| -> Vec<String> {
            cells
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(place, (text, width))| shortened(text, *width, place == 0))
                .collect()
        };
        let mut heads = line(&self.heads);
        if shown < self.heads.len()
            && let Some(last) = heads.last_mut()
        {
            last.push_str(" …");
        }
        table.set_header(heads);
        table.add_rows(self.rows.iter().map(|cells| line(cells)));
        for (place, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, GAP as u16));
            if self.is_number(place) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.trim_fmt()
    }

    /// Returns how wide each column is, in characters.
    fn widths(&self) -> Vec<usize> {
        let width = |place: usize| {
            let cells = std::iter::once(&self.heads).chain(&self.rows).filter_map(|cells| cells.get(place));
            cells.map(|text| text.chars().count()).max().unwrap_or(0)
        };
        (0..self.heads.len()).map(width).collect()
    }

    fn is_number(&self, column: usize) -> bool {
        let number = |text: &String| text == "–" || text.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        let plain = |text: &String| text.chars().all(|c| c.is_ascii_digit() || "-–,.".contains(c));
        let mut cells = self.rows.iter().filter_map(|row| row.get(column)).peekable();
        cells.peek().is_some() && cells.all(|text| number(text) && plain(text))
    }
}

/// Colours the words of a cell in its line, if they are known and stand there whole, between the gaps of a column.
fn paint(line: &mut String, cell: &str) {
    let Some(colour) = colour_of(cell) else { return };
    let gap = " ".repeat(GAP);
    let is_cell = |at: &usize| {
        line[..*at].ends_with(&gap)
            && matches!(&line[at + cell.len()..], rest if rest.is_empty() || rest.starts_with(&gap))
    };
    if let Some(at) = line.match_indices(cell).map(|(at, _)| at).find(is_cell) {
        line.replace_range(at..at + cell.len(), &painted(colour, cell));
    }
}

/// Returns a text in a colour.
pub(super) fn painted(code: &str, text: &str) -> String {
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Returns the colour of words that say how something stands; none for those that say neither good nor bad.
fn colour_of(words: &str) -> Option<&'static str> {
    match words {
        "AVAILABLE" | "ACTIVE" | "ok" | "whole" => Some(GREEN),
        "UNAVAILABLE" | "FAIL" | "missing" => Some(RED),
        "SYNCHRONIZING" | "LEAVING" | "warn" => Some(YELLOW),
        longer if longer.ends_with(", not reached") || longer.starts_with("torn ") => Some(YELLOW),
        longer if longer.starts_with("damaged ") => Some(RED),
        _ => None,
    }
}

/// Returns how wide columns may be that are so wide by nature and have `room` together with their gaps; fewer if not all fit.
fn fitted(natural: &[usize], room: usize) -> Vec<usize> {
    let mut widths = natural.to_vec();
    loop {
        let gaps = GAP * widths.len().saturating_sub(1);
        let mark = if widths.len() < natural.len() { " …".chars().count() } else { 0 };
        let excess = (widths.iter().sum::<usize>() + gaps + mark).saturating_sub(room);
        if excess == 0 {
            return widths;
        }
        let shown = widths.len();
        let [name, others @ ..] = &mut *widths else { return widths };
        match others.iter_mut().max().filter(|width| **width > CELL_CHARACTERS_MIN) {
            Some(width) => *width -= 1,
            // Names are worth more than what stands at the right of them. What was taken away for the column that goes is given back.
            None if shown > 2 => widths = natural[..shown - 1].to_vec(),
            None if *name > CELL_CHARACTERS_MIN => *name -= 1,
            None if shown > 1 => widths = natural[..1].to_vec(),
            None => return widths,
        }
    }
}

/// Returns a text of at most `width` characters: names lose their middle, others their end.
fn shortened(text: &str, width: usize, is_name: bool) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let (head, tail) = if is_name { (kept / 2, kept - kept / 2) } else { (kept, 0) };
    text.chars().take(head).chain(['…']).chain(text.chars().skip(count - tail)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_aligned_columns_and_no_trailing_blanks() {
        let mut table = Table::new(["Link", "Count", "Owner"]);
        table.row(vec!["/a".into(), "9".into(), "ana".into()]);
        table.row(vec!["/long/one".into(), "1,204".into(), "–".into()]);
        assert_eq!(table.render(None), "LINK       COUNT  OWNER\n/a             9  ana\n/long/one  1,204  –");
    }

    #[test]
    fn words_that_say_how_something_stands_have_a_colour_and_the_same_place() {
        let mut table = Table::new(["Node", "Status", "Role"]).standing(1);
        for (name, status) in
            [("AVAILABLE", "AVAILABLE"), ("b", "AVAILABLE, not reached"), ("c", "UNAVAILABLE"), ("d", "REPLACED")]
        {
            table.row(vec![name.into(), status.into(), "votes".into()]);
        }
        let coloured = table.coloured(Some(80));
        let lines: Vec<&str> = coloured.lines().collect();
        assert_eq!(lines[1], "AVAILABLE  \u{1b}[32mAVAILABLE\u{1b}[0m               votes");
        assert_eq!(lines[2], "b          \u{1b}[33mAVAILABLE, not reached\u{1b}[0m  votes");
        assert_eq!(lines[3], "c          \u{1b}[31mUNAVAILABLE\u{1b}[0m             votes");
        assert_eq!(lines[4], "d          REPLACED                votes");
        let mut plain = coloured.clone();
        for code in [GREEN, YELLOW, RED, "0"] {
            plain = plain.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(plain, table.render(Some(80)));
        // Cells that were shortened are left as they are.
        assert!(!table.coloured(Some(20)).contains("not reached"));
    }

    #[test]
    fn a_row_is_one_line_whatever_its_cells_say() {
        let mut table = Table::new(["Link", "Message"]);
        table.row(vec!["/a".into(), "done\n/b\tforged\u{1b}[2J".into()]);
        assert_eq!(table.render(None), "LINK  MESSAGE\n/a    done /b forged\\u001b[2J");
    }

    #[test]
    fn nothing_is_shortened_where_there_is_no_terminal() {
        let long = "x".repeat(5000);
        let mut table = Table::new(["Link", "Text"]);
        table.row(vec![long.clone(), long.clone()]);
        assert_eq!(table.render(None).lines().nth(1), Some(format!("{long}  {long}").as_str()));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let mut table = Table::new(["document", "stage", "due", "action", "to", "a tag"]);
        table.row(
            ["/core/diaries/d1", "WAITING", "in 3.2s", "PATCH", &"/core/diaries/other".repeat(3), "–"]
                .map(String::from)
                .into(),
        );
        table.row(["/core/diaries/d2", "DUE", "now", "DELETE", "/x", &"tag ".repeat(40)].map(String::from).into());
        for columns in [1, 12, 20, 60, 80, 140, 300] {
            let lines = table.render(Some(columns));
            let widest = lines.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest <= columns.max(CELL_CHARACTERS_MIN + 2), "{widest} of {columns}:\n{lines}");
        }
        let narrow = table.render(Some(60));
        assert!(narrow.contains("/core/diaries/d1") && narrow.contains("A TAG"), "{narrow}");
        assert!(table.render(Some(24)).lines().next().is_some_and(|heads| heads.ends_with('…')));
        assert!(table.render(Some(300)).contains(&"tag ".repeat(40).trim_end().to_owned()));
    }
}
