//! The house's order: imports go down the floors, every file says what it is for, nothing grows without bound.

#[cfg(test)]
mod tidy {
    use std::collections::HashMap;
    use std::path::{Path, PathBuf};

    /// Floors from the top; modules of one floor do not know each other, except where an order within the floor is given.
    const FLOORS: [(&str, f32); 26] = [
        ("main", 6.2),
        ("cli", 6.1),
        ("app", 6.0),
        ("edge", 5.0),
        ("sandbox", 5.0),
        ("payments", 4.0),
        ("steps", 4.0),
        ("connectors", 3.0),
        ("providers", 3.0),
        ("ledger", 2.0),
        ("limits", 2.0),
        ("dial", 2.0),
        ("wire", 1.0),
        ("routes", 1.0),
        ("pipeline", 1.0),
        ("chat", 0.4),
        ("payment", 0.3),
        ("merchant", 0.2),
        ("refusal", 0.1),
        ("ids", 0.0),
        ("money", 0.0),
        ("clock", 0.0),
        ("language", 0.0),
        ("tasks", 0.0),
        ("metrics", 0.0),
        ("lib", 9.0),
    ];

    const LINES_MAX: usize = 400;
    const FORBIDDEN_NAMES: [&str; 5] = ["utils", "util", "helpers", "common", "misc"];

    fn sources(dir: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        // A folder that is not there holds no file out of order; `src` being read at all is seen to below.
        for entry in std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                found.extend(sources(&entry));
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                found.push(entry);
            }
        }
        found
    }

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
    }

    /// The module a file belongs to: the first part of its path under `src`.
    fn module_of(file: &Path) -> String {
        let relative = file.strip_prefix(root().join("src")).expect("under src");
        let first = relative.components().next().expect("a part").as_os_str().to_string_lossy().into_owned();
        first.trim_end_matches(".rs").to_owned()
    }

    /// How deep below the crate the module of a file lies, the file given from `src` on: `edge/mod.rs` and `app.rs` 1, `edge/body.rs` 2.
    fn depth_of(relative: &Path) -> usize {
        let parts = relative.components().count();
        if parts > 1 && relative.file_stem().is_some_and(|stem| stem == "mod") { parts - 1 } else { parts }
    }

    /// The first words of the paths that follow: one, or those of a group (`{a, b}`), parts inside parts left out.
    fn first_words(rest: &str) -> Vec<String> {
        let ident = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
        let Some(group) = rest.strip_prefix('{') else { return vec![ident(rest)] };
        let (mut names, mut depth, mut part) = (Vec::new(), 0, String::new());
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => names.push(ident(std::mem::take(&mut part).trim())),
                _ if depth == 0 => part.push(c),
                _ => {}
            }
        }
        names.push(ident(part.trim()));
        names
    }

    /// Every module of the crate named by a path outside comments: `crate::x`, and `super::super::x` where that is the same, the file's module
    /// lying `depth` below the crate. Modules written inside the file lie deeper.
    fn imports(text: &str, depth: usize) -> Vec<String> {
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let mut names: Vec<String> = code.split("crate::").skip(1).flat_map(first_words).collect();
        let (mut inside, mut at) = (Vec::new(), 0);
        for line in code.split_inclusive('\n') {
            let indent = line.len() - line.trim_start().len();
            let words = line.trim_start().trim_start_matches("pub ");
            if words.starts_with("mod ") && words.trim_end().ends_with('{') {
                inside.push(indent);
            } else if words.trim_end() == "}" && inside.last() == Some(&indent) {
                inside.pop();
            }
            for (n, _) in line.match_indices("super::").filter(|(n, _)| !line[..*n].ends_with("super::")) {
                let path = &code[at + n..];
                let rest = path.trim_start_matches("super::");
                if (path.len() - rest.len()) / "super::".len() >= depth + inside.len() {
                    names.extend(first_words(rest));
                }
            }
            at += line.len();
        }
        names.retain(|name| !name.is_empty());
        names
    }

    /// What is wrong with the imports of a file of `module`, given from `src` on.
    fn wrong_imports(module: &str, text: &str, depth: usize) -> Vec<String> {
        let floors: HashMap<&str, f32> = FLOORS.into_iter().collect();
        let Some(own) = floors.get(module) else { return vec![format!("module `{module}` has no floor: put it into FLOORS")] };
        let wrong = |name: &String| {
            if name == module {
                return None;
            }
            match floors.get(name.as_str()) {
                None => Some(format!("crate::{name} has no floor")),
                Some(floor) if floor >= own => Some(format!("{module} (floor {own}) imports {name} (floor {floor}): up or across")),
                Some(floor) if module == "sandbox" && *floor >= 1.0 => Some(format!("the sandbox imports {name}: floor 0 only")),
                Some(_) => None,
            }
        };
        let hidden = text.contains("{super::").then(|| "`super` inside a group: write the path out".to_owned());
        imports(text, depth).iter().filter_map(wrong).chain(hidden).collect()
    }

    #[test]
    fn imports_go_down_the_floors() {
        let mut wrong = Vec::new();
        assert!(sources(&root().join("src")).len() > 50, "the sources are read");
        for file in sources(&root().join("src")) {
            let text = std::fs::read_to_string(&file).expect("a file");
            let module = module_of(&file);
            let depth = depth_of(file.strip_prefix(root().join("src")).expect("under src"));
            wrong.extend(wrong_imports(&module, &text, depth).into_iter().map(|what| format!("{}: {what}", file.display())));
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_check_itself_sees_what_is_wrong() {
        let wrong = |module: &str, text: &str, file: &str| wrong_imports(module, text, depth_of(Path::new(file))).len();
        assert_eq!(wrong("ledger", "use crate::payments::execute;", "ledger/mod.rs"), 1, "up");
        assert_eq!(wrong("ledger", "let x = crate::dial::Dial::new();", "ledger/mod.rs"), 1, "across");
        assert_eq!(wrong("sandbox", "use crate::{ids::hex, wire::sse};", "sandbox/mod.rs"), 1, "in a group");
        assert_eq!(wrong("clock", "use crate::refusal::Kind;", "clock.rs"), 1, "up within floor 0");
        assert_eq!(wrong("edge", "use crate::{wire::{object, sse}, ids};\n// crate::app is above", "edge/mod.rs"), 0);
        assert_eq!(wrong("ledger", "use super::payments::execute;", "ledger/mod.rs"), 1, "one up from a folder's own module");
        assert_eq!(wrong("ledger", "use super::payments;", "ledger/writer.rs"), 0, "its own folder's");
        assert_eq!(wrong("ledger", "use super::super::payments::execute;", "ledger/writer.rs"), 1, "two up");
        assert_eq!(wrong("ledger", "use super::super::{\n    ids,\n    payments::execute,\n};", "ledger/writer.rs"), 1, "two up, in a group");
        assert_eq!(wrong("sandbox", "use super::super::super::wire::sse;", "sandbox/v3/checks.rs"), 1, "three up");
        let inside = "pub mod tests {\n    use super::super::dial;\n}\nuse super::super::dial;\n";
        assert_eq!(wrong("ledger", inside, "ledger/writer.rs"), 1, "a module inside the file lies one deeper, what comes after it does not");
        assert_eq!(wrong("ledger", "use super::{super::dial, row};", "ledger/writer.rs"), 1, "hidden in a group");
    }

    /// Where money is: no float may come near it.
    #[test]
    fn money_is_never_a_float() {
        const MONEY: [&str; 6] = ["money", "payment", "payments", "wire/context", "connectors", "ledger"];
        let is_float = |text: &str| text.contains("f32") || text.contains("f64");
        assert!(is_float("let x = wait.as_secs_f64();") && is_float("x as f32"));
        let mut looked_at = 0;
        for file in sources(&root().join("src")) {
            let relative = file.strip_prefix(root().join("src")).expect("under src").with_extension("");
            if MONEY.iter().any(|place| relative.starts_with(place)) {
                looked_at += 1;
                let text = std::fs::read_to_string(&file).expect("a file");
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                let floats: Vec<&str> = code.filter(|line| is_float(line)).collect();
                assert!(floats.is_empty(), "{}: {floats:?}", file.display());
            }
        }
        assert!(looked_at > 30, "{looked_at} files");
    }

    #[test]
    fn every_file_opens_with_its_purpose() {
        for dir in ["src", "tests", "benches"] {
            for file in sources(&root().join(dir)) {
                let text = std::fs::read_to_string(&file).expect("a file");
                let first = text.lines().next().unwrap_or_default();
                assert!(first.starts_with("//! ") && first.len() > 20, "{}: the first line says what the file is for", file.display());
            }
        }
    }

    #[test]
    fn files_stay_small_and_have_names() {
        for dir in ["src", "tests"] {
            for file in sources(&root().join(dir)) {
                let lines = std::fs::read_to_string(&file).expect("a file").lines().count();
                assert!(lines <= LINES_MAX, "{}: {lines} lines, more than {LINES_MAX}", file.display());
                let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
                assert!(!FORBIDDEN_NAMES.contains(&stem.as_str()), "{}: a name that says nothing", file.display());
            }
        }
    }

    #[test]
    fn nothing_spawns_or_prints_where_it_should_not() {
        for file in sources(&root().join("src")) {
            let text = std::fs::read_to_string(&file).expect("a file");
            let module = module_of(&file);
            if module != "cli" {
                assert!(!text.contains("println!"), "{}: prints", file.display());
            }
            if module != "tasks" {
                assert!(!text.contains("tokio::spawn"), "{}: spawns outside tasks", file.display());
            }
        }
    }

    #[test]
    fn exceptions_from_lints_give_their_reason() {
        for file in sources(&root().join("src")) {
            let text = std::fs::read_to_string(&file).expect("a file");
            assert!(!text.contains("#[allow("), "{}: #[expect(…, reason = …)] instead", file.display());
            for expect in text.split("#[expect(").skip(1) {
                let attribute = expect.split(")]").next().unwrap_or_default();
                assert!(attribute.contains("reason"), "{}: an exception without its reason", file.display());
            }
        }
    }
}
