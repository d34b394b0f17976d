//! What is said of work that takes long.

use std::time::Duration;

use super::super::progress::{waiting, watch};
use super::{Paper, terminal};

/// How often the paper is looked at.
const LOOK: Duration = Duration::from_millis(10);

#[tokio::test]
async fn work_that_takes_long_is_told_in_one_line_where_nobody_watches() {
    let (data, talk) = (Paper::default(), Paper::default());
    let mut terminal = terminal(&data, &talk, None);
    watch(&mut terminal, &waiting("a blink"), async {}).await;
    assert_eq!(talk.text(), "");
    let until_told = async {
        while talk.text().is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    };
    watch(&mut terminal, &waiting("make ready"), until_told).await;
    assert_eq!((talk.text().as_str(), data.text().as_str()), ("make ready: not done after 2 s, goes on\n", ""));
}
