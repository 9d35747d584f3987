//! The questions of `docs/sql.md`, as they stand there.

use super::ask::{texts, twin};

/// The statements of the page, in order, after the heading of the questions.
fn questions() -> Vec<String> {
    let page = include_str!("../../../../docs/sql.md");
    let page = page.split_once("## Questions").expect("the page has questions").1;
    let page = page.split_once("## Over HTTP").expect("the questions end").0;
    page.split("```sql\n").skip(1).map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

fn story() -> Vec<String> {
    texts(&[
        r#"{"type":"organization","organizationId":"o","messageId":"o","timestamp":"2024-01-01","traits":{"name":"Org"}}"#,
        r#"{"type":"account","accountId":"123456","organizationId":"o","messageId":"a","timestamp":"2024-03-30","traits":{"plan":"pro","mrr":100}}"#,
        r#"{"type":"account","accountId":"b","messageId":"b","timestamp":"2024-04-01","traits":{"plan":"free","mrr":20}}"#,
        r#"{"type":"account","accountId":"c","messageId":"c","timestamp":"2024-01-01","traits":{"plan":"pro","mrr":50,"churnedAt":"2024-05-20"}}"#,
        r#"{"type":"account","accountId":"c","messageId":"c2","timestamp":"2024-05-01","traits":{"plan":"free"}}"#,
        r#"{"type":"user","userId":"u","accountId":"123456","messageId":"u","timestamp":"2024-04-01","traits":{"name":"U","email":"u@x.org"}}"#,
        r#"{"type":"user","userId":"v","accountId":"b","messageId":"v","timestamp":"2024-04-01"}"#,
        r#"{"type":"track","event":"signed up","userId":"u","messageId":"1","timestamp":"2024-04-02"}"#,
        r#"{"type":"track","event":"invited","userId":"u","messageId":"2","timestamp":"2024-04-09"}"#,
        r#"{"type":"track","event":"report created","userId":"u","messageId":"3","timestamp":"2024-05-14T12:00:00Z","properties":{"pages":3,"kind":"x"}}"#,
        r#"{"type":"track","event":"report created","userId":"u","messageId":"4","timestamp":"2024-05-15","properties":{"pages":1}}"#,
        r#"{"type":"track","event":"signed up","userId":"v","messageId":"5","timestamp":"2024-04-03"}"#,
    ])
}

#[tokio::test]
async fn each_is_answered_as_the_page_says() {
    let asked = twin(&story()).await;
    let expected: [&[&str]; 11] = [
        &["123456|2024-04-01|1", "123456|2024-04-08|1", "123456|2024-05-13|1", "b|2024-04-01|1"],
        &["b|2024-04-03T00:00:00.000Z"],
        &["20.0|1"],
        &["free|0|2", "pro|1|1"],
        &["123456|45.5"],
        &["2024-04-01|2|1", "2024-04-08|1|0", "2024-05-13|1|0"],
        &["2|1|1"],
        &["c|plan|free|2024-05-01T00:00:00.000Z"],
        &["u|U|u@x.org|4"],
        &["o|Org|2|2"],
        &["pages|2", "kind|1"],
    ];
    let questions = questions();
    assert_eq!(questions.len(), expected.len());
    for (question, expected) in questions.iter().zip(expected) {
        assert_eq!(asked.lines(question), expected, "{question}");
    }
}
