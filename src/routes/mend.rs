//! Reads a table in spite of its faults, so that the first hides no other: what stops the reading becomes a fault, is taken out or gets a
//! stand-in, and the reading starts again. A stand-in lies [`NOWHERE`], and nothing that is found there is a fault of its own.

use serde::Deserialize;
use serde_spanned::Spanned;
use std::ops::Range;
use toml::de::{DeArray, DeInteger, DeTable, DeValue, Error, ValueDeserializer};

use super::faults::{Collector, NOWHERE};

/// Most faults of one table that are named at once.
const FAULTS_MAX: usize = 64;

/// Reads `value` as far as it can be read; every fault of its shape goes to `faults`. `None` if nothing can stand in for what is wrong.
pub(super) fn read<'t, T: Deserialize<'t>>(mut value: Spanned<DeValue<'t>>, faults: &mut Collector<'_>) -> Option<T> {
    for _ in 0..FAULTS_MAX {
        let error = match attempt::<T>(&value) {
            Ok(table) => return Some(table),
            Err(error) => error,
        };
        let span = error.span().unwrap_or_else(|| value.span());
        faults.at(span.clone(), told(error.message()));
        if let Some(name) = missing(error.message()) {
            value = with_stand_in::<T>(&value, |value, stand_in| {
                let DeValue::Table(table) = at(value, &span)?.get_mut() else { return None };
                table.insert(Spanned::new(NOWHERE, name.to_owned().into()), stand_in).is_none().then_some(())
            })?;
        } else if !take_out(&mut value, &span) {
            value = with_stand_in::<T>(&value, |value, stand_in| {
                *at(value, &span)? = stand_in;
                Some(())
            })?;
        }
    }
    None
}

fn attempt<'t, T: Deserialize<'t>>(value: &Spanned<DeValue<'t>>) -> Result<T, Error> {
    T::deserialize(ValueDeserializer::from(value.clone()))
}

/// The value with the first stand-in, put in by `put`, that has the form that is asked for.
fn with_stand_in<'t, T: Deserialize<'t>>(
    value: &Spanned<DeValue<'t>>,
    put: impl Fn(&mut Spanned<DeValue<'t>>, Spanned<DeValue<'t>>) -> Option<()>,
) -> Option<Spanned<DeValue<'t>>> {
    let text = || Spanned::new(NOWHERE, DeValue::String("".into()));
    let mut texts = DeArray::new();
    texts.push(text());
    let forms = [
        DeValue::String("".into()),
        DeValue::Integer(DeInteger::default()),
        DeValue::Boolean(false),
        DeValue::Array(texts),
        DeValue::Array(DeArray::new()),
        DeValue::Table(DeTable::new()),
    ];
    forms.into_iter().find_map(|form| {
        let mut tried = value.clone();
        put(&mut tried, Spanned::new(NOWHERE, form))?;
        // Members are read in the order of their names and all before this one are fine: a fault that lies nowhere is this stand-in's.
        let fits = attempt::<T>(&tried).err().and_then(|error| error.span()) != Some(NOWHERE);
        fits.then_some(tried)
    })
}

/// The value that lies at `span`.
fn at<'v, 't>(value: &'v mut Spanned<DeValue<'t>>, span: &Range<usize>) -> Option<&'v mut Spanned<DeValue<'t>>> {
    if value.span() == *span {
        return Some(value);
    }
    match value.get_mut() {
        DeValue::Table(table) => table.iter_mut().find_map(|(_, value)| at(value, span)),
        DeValue::Array(array) => array.iter_mut().find_map(|value| at(value, span)),
        _ => None,
    }
}

/// Takes the member out whose name lies at `span`; false if there is none.
fn take_out(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => {
            let name = table.keys().find(|name| name.span() == *span).map(|name| name.get_ref().clone().into_owned());
            name.is_some_and(|name| table.remove(name.as_str()).is_some()) || table.iter_mut().any(|(_, value)| take_out(value, span))
        }
        DeValue::Array(array) => array.iter_mut().any(|value| take_out(value, span)),
        _ => false,
    }
}

/// The member that is said to be missing.
fn missing(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

/// What is told of a fault: on one line, and without a text of the file, which may be a secret in the wrong place.
fn told(message: &str) -> String {
    let line = message.lines().collect::<Vec<_>>().join("; ");
    match line.split_once(": string \"").zip(line.rsplit_once(", expected ")) {
        Some(((what, _), (_, expected))) => format!("{what}: a text, expected {expected}"),
        None => line,
    }
}
