//! One row, in the few kinds of values that matter here, whichever data base it came from.

use sqlx::mysql::{MySqlRow, MySqlTypeInfo};
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgRow, PgTypeInfo, PgTypeKind};
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};

/// A value.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum SqlValue {
    Null,
    Bool(bool),
    Integer(i64),
    /// Text or bytes.
    Bytes(Vec<u8>),
    /// Of a type that is not read, which has this name.
    Other(String),
}

/// A row: names of columns, and what is in them.
#[derive(Clone, Default)]
pub(crate) struct SqlRow(Vec<(String, SqlValue)>);

impl std::fmt::Debug for SqlRow {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Names alone: in the columns are passwords.
        formatter.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Types that are read, for a message.
pub(crate) const READABLE: &str = "text, bytes, whole numbers and booleans are read";

impl SqlRow {
    /// What is in a column, whatever the case of its name; `None`: there is no such column.
    pub(crate) fn get(&self, name: &str) -> Option<&SqlValue> {
        self.0.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All columns, in order.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (&str, &SqlValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub(super) fn of_postgres(row: &PgRow) -> Result<Self, sqlx::Error> {
        let value = |at: usize, name: &str| -> Result<(String, SqlValue), sqlx::Error> {
            let raw = row.try_get_raw(at)?;
            if raw.is_null() {
                return Ok((name.to_owned(), SqlValue::Null));
            }
            let info = raw.type_info();
            let value = match postgres_kind(&info) {
                Kind::Bool => SqlValue::Bool(row.try_get_unchecked(at)?),
                Kind::Short => SqlValue::Integer(row.try_get_unchecked::<i16, _>(at)?.into()),
                Kind::Int => SqlValue::Integer(row.try_get_unchecked::<i32, _>(at)?.into()),
                Kind::Long => SqlValue::Integer(row.try_get_unchecked(at)?),
                Kind::Bytes => SqlValue::Bytes(raw.as_bytes().map_err(sqlx::Error::Decode)?.to_vec()),
                Kind::Other => SqlValue::Other(info.name().to_owned()),
            };
            Ok((name.to_owned(), value))
        };
        row.columns().iter().enumerate().map(|(at, column)| value(at, column.name())).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn of_mysql(row: &MySqlRow) -> Result<Self, sqlx::Error> {
        let value = |at: usize, name: &str| -> Result<(String, SqlValue), sqlx::Error> {
            let raw = row.try_get_raw(at)?;
            if raw.is_null() {
                return Ok((name.to_owned(), SqlValue::Null));
            }
            let info = raw.type_info();
            let value = match mysql_kind(&info) {
                Kind::Bool | Kind::Short | Kind::Int | Kind::Long if info.name().ends_with("UNSIGNED") => {
                    let number: u64 = row.try_get_unchecked(at)?;
                    SqlValue::Integer(i64::try_from(number).unwrap_or(i64::MAX))
                }
                // A BOOLEAN is a number there, and 2 is one of its values.
                Kind::Bool | Kind::Short | Kind::Int | Kind::Long => SqlValue::Integer(row.try_get_unchecked(at)?),
                Kind::Bytes => SqlValue::Bytes(row.try_get_unchecked(at)?),
                Kind::Other => SqlValue::Other(info.name().to_owned()),
            };
            Ok((name.to_owned(), value))
        };
        row.columns().iter().enumerate().map(|(at, column)| value(at, column.name())).collect::<Result<_, _>>().map(Self)
    }
}

impl SqlValue {
    /// As bytes: text as it is, numbers in decimal, booleans as words. `None`: it is NULL or of a type that is not read.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Null | Self::Other(_) => None,
            Self::Bool(value) => Some(value.to_string().into_bytes()),
            Self::Integer(value) => Some(value.to_string().into_bytes()),
            Self::Bytes(bytes) => Some(bytes.clone()),
        }
    }

    /// As text, under the same rules; `None` too for bytes that are no UTF-8.
    pub(crate) fn text(&self) -> Option<String> {
        String::from_utf8(self.bytes()?).ok()
    }

    /// Whether it says yes: true, a number from 1 on, or the text of either.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Bool(value) => *value,
            Self::Integer(value) => *value >= 1,
            // A BIT of MySQL.
            Self::Bytes(bytes) if bytes.as_slice() == [1] => true,
            Self::Bytes(bytes) => {
                // As EMQX takes it: no other spelling of the word.
                let text = std::str::from_utf8(bytes).unwrap_or_default();
                text == "true" || text.parse().is_ok_and(|number: i64| number >= 1)
            }
            Self::Null | Self::Other(_) => false,
        }
    }
}

/// How a value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Short,
    Int,
    Long,
    Bytes,
    Other,
}

/// `pg_type.dat` of PostgreSQL: these numbers never change.
fn postgres_kind(info: &PgTypeInfo) -> Kind {
    match info.kind() {
        // A label is text.
        PgTypeKind::Enum(_) => return Kind::Bytes,
        PgTypeKind::Domain(inner) => return postgres_kind(inner),
        PgTypeKind::Simple => {}
        PgTypeKind::Pseudo | PgTypeKind::Composite(_) | PgTypeKind::Array(_) | PgTypeKind::Range(_) => return Kind::Other,
    }
    match info.oid().map(|Oid(number)| number) {
        Some(16) => Kind::Bool,
        Some(21) => Kind::Short,
        Some(23) => Kind::Int,
        Some(20) => Kind::Long,
        // bytea, "char", name, text, json, unknown, bpchar, varchar.
        Some(17 | 18 | 19 | 25 | 114 | 705 | 1042 | 1043) => Kind::Bytes,
        _ if info.name().eq_ignore_ascii_case("citext") => Kind::Bytes,
        _ => Kind::Other,
    }
}

fn mysql_kind(info: &MySqlTypeInfo) -> Kind {
    match info.name() {
        "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" | "TINYINT UNSIGNED" | "SMALLINT UNSIGNED"
        | "MEDIUMINT UNSIGNED" | "INT UNSIGNED" | "BIGINT UNSIGNED" => Kind::Long,
        "CHAR" | "VARCHAR" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT" | "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB"
        | "MEDIUMBLOB" | "LONGBLOB" | "ENUM" | "SET" | "JSON" | "DECIMAL" | "BIT" => Kind::Bytes,
        _ => Kind::Other,
    }
}

/// Whether a type of which a server spoke before it sent anything is read.
pub(super) fn is_readable_postgres(info: &PgTypeInfo) -> bool {
    postgres_kind(info) != Kind::Other
}

/// The same.
pub(super) fn is_readable_mysql(info: &MySqlTypeInfo) -> bool {
    mysql_kind(info) != Kind::Other
}
