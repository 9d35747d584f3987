//! Answers as JSON, CSV and Parquet.

use arrow_array::{Array, Float64Array, Int64Array, StringArray};
use muster_query::{Format, Params};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::ask::{texts, twin};

const SQL: &str = "select 1 as i, 1.5 as r, 'a,\"b\"' || char(10) as t, null as n, x'0aff' as b, '' as e \
     union all select 9007199254740993, 9e999, 'ü', 2, null, 'plain'";

#[tokio::test]
async fn json() {
    let asked = twin(&texts(&[r#"{"type":"track","event":"e","userId":"u","messageId":"1"}"#])).await;
    let (out, _) = asked.answer(Format::Json, SQL, Params::None).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(
        out.starts_with(
            r#"{"columns":[{"name":"i","type":null},{"name":"r","type":null},{"name":"t","type":null},{"name":"n","type":null},{"name":"b","type":null},{"name":"e","type":null}],"rows":[[1,1.5,"a,\"b\"\n",null,"0aff",""],[9007199254740993,null,"ü",2,null,"plain"]],"rowCount":2,"truncated":false,"scanned":{"#
        ),
        "{out}"
    );
    let (out, _) = asked.answer(Format::Json, "select event, count(*) from events", Params::None).unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(answer["columns"][0]["type"], "text");
    assert_eq!(answer["scanned"]["messages"], 1);
}

#[tokio::test]
async fn csv() {
    let asked = twin(&[]).await;
    let (out, _) = asked.answer(Format::Csv, SQL, Params::None).unwrap();
    let expected = "i,r,t,n,b,e\r\n1,1.5,\"a,\"\"b\"\"\n\",,0aff,\"\"\r\n9007199254740993,inf,ü,2,,plain\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[tokio::test]
async fn parquet() {
    let asked = twin(&[]).await;
    let sql = "select 1 as i, 2 as r, 1 as mixed, null as n, 'x' as t, 1 as i \
         union all select 2, 2.5, 'two', null, null, 3 union all select null, null, x'ff', null, 'y', 4";
    let (out, summary) = asked.answer(Format::Parquet, sql, Params::None).unwrap();
    assert_eq!(summary.rows, 3);
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(out)).unwrap().build().unwrap();
    let batches: Vec<_> = reader.collect::<Result<_, _>>().unwrap();
    let batch = &batches[0];
    let names: Vec<&str> = batch.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["i", "r", "mixed", "n", "t", "i:2"]);
    let column = |at: usize| batch.column(at).as_any();
    let integers = column(0).downcast_ref::<Int64Array>().unwrap();
    assert_eq!((integers.value(0), integers.value(1), integers.is_null(2)), (1, 2, true));
    assert_eq!(column(1).downcast_ref::<Float64Array>().unwrap().values()[..2], [2.0, 2.5]);
    let mixed = column(2).downcast_ref::<StringArray>().unwrap();
    assert_eq!(mixed.iter().collect::<Vec<_>>(), [Some("1"), Some("two"), Some("ff")]);
    assert_eq!(column(3).downcast_ref::<StringArray>().unwrap().null_count(), 3);
    let (empty, _) = asked.answer(Format::Parquet, "select 1 as i where 0", Params::None).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(empty)).unwrap();
    assert_eq!(reader.schema().field(0).name(), "i");
}
