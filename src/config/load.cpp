#include "config/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "config/yaml.h"

namespace hone::config {
namespace {

namespace fs = std::filesystem;

bool holds_refused(const Node& node) {
  return node.kind == Node::Kind::kRefused ||
         std::any_of(node.items.begin(), node.items.end(), holds_refused);
}

/// Lays documents over the defaults, one after another.
class Resolver {
 public:
  Resolver(const Schema& schema, Resolution& out)
      : schema_(schema), out_(out), paths_(schema.paths()) {
    for (std::size_t i = 0; i < schema.fields.size(); ++i) {
      fields_[schema.fields[i].key] = i;
      out.values.push_back(schema.fields[i].default_value);
    }
  }

  void apply_file(std::string_view text) {
    const Node::Kind kind = apply_document(text, out_.source, "");
    out_.is_mapping = kind == Node::Kind::kMapping || kind == Node::Kind::kNull;
  }

  void apply_override(const std::string& argument) {
    source_ = "command line: " + shortened(argument);
    const std::size_t equals = argument.find('=');
    if (equals == std::string::npos || equals == 0) {
      add({source_, 0}, "", "expected key=value, as in optim.learning_rate=1e-4");
      return;
    }
    apply_document(std::string_view(argument).substr(equals + 1), source_,
                   argument.substr(0, equals));
  }

  /// @param place where the message points: a config, or one mapping of a list
  void find_missing(const Location& place) {
    for (const Field& field : schema_.fields) {
      if (!field.required || out_.given.contains(field.key)) continue;
      if (has_problem_in(out_.problems, field.key)) continue;
      add(place, field.key,
          fmt::format("has to be set, and is not; expected {}: {}", expected(field), field.help));
    }
  }

  void find_missing_paths() {
    for (std::size_t i = 0; i < schema_.fields.size(); ++i) {
      if (!schema_.fields[i].existing_path) continue;
      if (const auto* path = std::get_if<std::string>(&out_.values[i])) look_for(i, *path);
      if (const auto* paths = std::get_if<std::vector<std::string>>(&out_.values[i]))
        for (const std::string& path : *paths) look_for(i, path);
    }
  }

 private:
  void add(Location where, std::string key, std::string what) {
    out_.problems.push_back({std::move(where), std::move(key), std::move(what)});
  }

  /// A place in the document that is being applied; an override has no lines.
  Location at(int line) const { return {source_, in_override_ ? 0 : line}; }

  /// @param path what the document is the value of; empty: it is the whole config
  Node::Kind apply_document(std::string_view text, const std::string& source,
                            const std::string& path) {
    source_ = source;
    in_override_ = !path.empty();
    std::vector<YamlProblem> problems;
    Node root = parse_yaml(text, problems);
    for (const YamlProblem& problem : problems)
      add(at(problem.line), join_path(path, problem.key), problem.what);
    if (path.empty()) {
      apply_section(root, "");
    } else {
      apply_value(root, path);
    }
    return root.kind;
  }

  void apply_section(const Node& node, const std::string& path) {
    if (node.kind == Node::Kind::kNull || node.kind == Node::Kind::kRefused) return;
    if (node.kind != Node::Kind::kMapping) {
      add(at(node.line), path,
          fmt::format("expected a mapping of {}, got {}", path.empty() ? "sections" : "options",
                      node.kind == Node::Kind::kList ? "a list" : quote(shortened(node.text))));
      return;
    }
    for (const Node& item : node.items) {
      // A dot in a file's key is no path: the file nests instead.
      if (item.key.find('.') != std::string::npos) {
        add(at(item.line), join_path(path, item.key),
            "a key with a dot is taken on the command line only; nest it under its section");
      } else {
        apply_value(item, join_path(path, item.key));
      }
    }
  }

  void apply_value(const Node& node, const std::string& path) {
    const auto field = fields_.find(path);
    if (field != fields_.end()) {
      set_field(node, field->second);
    } else if (is_section(path)) {
      apply_section(node, path);
    } else {
      unknown(node.line, path);
    }
  }

  void set_field(const Node& node, std::size_t i) {
    const Field& field = schema_.fields[i];
    if (holds_refused(node)) return;
    if (field.type == Type::kRecords) return set_records(node, i);
    try {
      out_.values[i] = read_value(node, field);
      out_.given[field.key] = at(node.line);
    } catch (const BadValue& bad) {
      add(at(bad.line), field.key, bad.what);
    }
  }

  void set_records(const Node& node, std::size_t i) {
    const Field& field = schema_.fields[i];
    if (node.kind != Node::Kind::kList) {
      add(at(node.line), field.key, "expected a list of mappings; begin each one with `-`");
      return;
    }
    std::vector<Record> records;
    for (const Node& item : node.items)
      records.push_back(read_record(item, *field.item, item_path(field.key, records.size())));
    out_.values[i] = std::move(records);
    out_.given[field.key] = at(node.line);
  }

  /// Reads one mapping of a list as if it were a config of its own, known as `path`.
  Record read_record(const Node& item, const Schema& schema, const std::string& path) {
    Resolution of_item;
    of_item.source = out_.source;
    Resolver resolver(schema, of_item);
    resolver.source_ = source_;
    resolver.in_override_ = in_override_;
    if (item.kind == Node::Kind::kMapping) {
      resolver.apply_section(item, "");
      resolver.find_missing(at(item.line));
      resolver.find_missing_paths();
    } else {
      add(at(item.line), path, "expected a mapping of options");
    }
    for (const auto& [key, place] : of_item.given) out_.given[join_path(path, key)] = place;
    for (Problem& problem : of_item.problems)
      add(problem.where, join_path(path, problem.key), std::move(problem.what));
    Record record;
    for (std::size_t i = 0; i < schema.fields.size(); ++i)
      record.values.emplace_back(schema.fields[i].key, std::move(of_item.values[i]));
    return record;
  }

  void unknown(int line, const std::string& path) {
    const bool is_told = out_.problems.size() < kMaxProblemsTold;
    std::string hint = is_told ? did_you_mean(path, paths_) : "";
    if (is_told && hint.empty()) {
      const std::string parent(parent_of(path));
      const bool is_known = !parent.empty() && is_section(parent);
      hint =
          fmt::format("; `hone explain{}` lists the keys there are", is_known ? " " + parent : "");
    }
    add(at(line), path, "no such key" + hint);
  }

  bool is_section(const std::string& path) const {
    return std::any_of(schema_.sections.begin(), schema_.sections.end(),
                       [&](const SectionInfo& section) { return section.key == path; });
  }

  void look_for(std::size_t i, const std::string& path) {
    std::error_code ignored;
    if (fs::exists(path, ignored)) return;
    if (schema_.fields[i].path_pattern && !files_matching(path).empty()) return;
    const auto place = out_.given.find(schema_.fields[i].key);
    add(place != out_.given.end() ? place->second : Location{out_.source, 0}, schema_.fields[i].key,
        fmt::format("there is no file or folder {} (looked for from {})", quote(shortened(path)),
                    fs::current_path(ignored).string()));
  }

  const Schema& schema_;
  Resolution& out_;
  std::vector<std::string> paths_;
  std::map<std::string, std::size_t> fields_;  // index by key
  std::string source_;
  bool in_override_ = false;
};

std::string indent(std::size_t depth) { return std::string(2 * depth, ' '); }

/// The lines that lead from the options of section `from` to those of section `to`.
std::string section_lines(const std::string& from, const std::string& to) {
  std::string text;
  std::size_t depth = 0;
  for (std::size_t begin = 0, end = 0; begin < to.size(); begin = end + 1, ++depth) {
    end = std::min(to.find('.', begin), to.size());
    const std::string section = to.substr(0, end);
    const bool is_open = from == section || from.starts_with(section + ".");
    if (!is_open) text += fmt::format("{}{}:\n", indent(depth), to.substr(begin, end - begin));
  }
  return text;
}

}  // namespace

Resolution resolve(const Schema& schema, std::string_view text, std::string source,
                   const std::vector<std::string>& overrides) {
  Resolution out;
  out.source = std::move(source);
  Resolver resolver(schema, out);
  resolver.apply_file(text);
  for (const std::string& argument : overrides) resolver.apply_override(argument);
  if (out.is_mapping) {
    resolver.find_missing({out.source, 0});
    resolver.find_missing_paths();
  }
  return out;
}

Given changed_keys(const Schema& schema, const Resolution& resolved) {
  Given changed = resolved.given;
  for (std::size_t i = 0; i < schema.fields.size(); ++i)
    if (resolved.values[i] == schema.fields[i].default_value) changed.erase(schema.fields[i].key);
  return changed;
}

bool has_problem_in(const std::vector<Problem>& problems, std::string_view section) {
  return std::any_of(problems.begin(), problems.end(), [&](const Problem& problem) {
    const std::string_view key = problem.key;
    return section.empty() || key == section ||
           (key.starts_with(section) && (key[section.size()] == '.' || key[section.size()] == '['));
  });
}

std::string read_config_file(const fs::path& path) {
  std::error_code ignored;
  HONE_CHECK(ConfigError, !fs::is_directory(path, ignored),
             "{}: is a folder; expected a YAML config file", path.string());
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  HONE_CHECK(ConfigError, file, "{}: the config cannot be opened: {}", path.string(),
             std::strerror(errno));
  std::string text(kMaxDocumentBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  HONE_CHECK(ConfigError, !file.bad(), "{}: reading the config failed: {}", path.string(),
             std::strerror(errno));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

std::string dump(const Schema& schema, const std::vector<Value>& values) {
  std::string text, section;
  for (std::size_t i = 0; i < schema.fields.size(); ++i) {
    const std::string& key = schema.fields[i].key;
    const std::string parent(parent_of(key));
    text += section_lines(section, parent);
    section = parent;
    const auto depth = static_cast<std::size_t>(std::count(key.begin(), key.end(), '.'));
    text += fmt::format("{}{}: {}\n", indent(depth), leaf_of(key), to_yaml(values[i]));
  }
  return text;
}

}  // namespace hone::config
