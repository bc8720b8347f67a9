#include "tokenizer/jinja/list_filters.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "tokenizer/jinja/operators.h"

namespace hone::tokenizer::jinja {
namespace {

// "a.b.0": attributes and items, one after another.
Value get_path(const Value& value, const Value& path) {
  if (!path.is_string()) return get_item(value, path);
  Value current = value;
  for (const Text& part : split(*path.as<Text>(), ".", -1, false)) {
    std::int64_t index = 0;
    const std::string_view name = part.str();
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    const bool number = error == std::errc() && end == name.data() + name.size();
    current = number ? get_item(current, index) : get_item(current, Value(Text(name)));
  }
  return current;
}

Arguments rest(const Arguments& arguments, std::size_t from) {
  Arguments result;
  for (std::size_t i = from; i < arguments.positional.size(); ++i) {
    result.positional.push_back(arguments.positional[i]);
  }
  result.named = arguments.named;
  return result;
}

// Text folds case for sorting and comparing, unless case_sensitive says otherwise.
Value sort_key(const Value& item, const Value& attribute, bool case_sensitive) {
  Value key = attribute.is_undefined() || attribute.is_none() ? item : get_path(item, attribute);
  if (key.is_string() && !case_sensitive) return to_lower(*key.as<Text>());
  return key;
}

Value first_filter(const Value& value, const Arguments&) {
  const List items = iterate(value);
  return items.empty() ? Value::undefined("No first item, sequence was empty.") : items.front();
}

Value last_filter(const Value& value, const Arguments&) {
  if (value.is_generator())
    throw TemplateFault("TypeError", "'generator' object is not reversible");
  const List items = iterate(value);
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Value join_filter(const Value& value, const Arguments& arguments) {
  const Value separator = arguments.get(0, "d"), attribute = arguments.get(1, "attribute");
  Text result;
  bool first = true;
  for (const Value& item : iterate(value)) {
    if (!first) result.append(to_text(separator));
    first = false;
    result.append(to_text(attribute.is_undefined() ? item : get_path(item, attribute)));
  }
  return result;
}

Value reverse_filter(const Value& value, const Arguments&) {
  if (value.is_string()) return get_slice(value, {}, {}, std::int64_t{-1});
  List items = iterate(value);
  std::reverse(items.begin(), items.end());
  return Value::generator(std::move(items));
}

Value sort_filter(const Value& value, const Arguments& arguments) {
  const bool reverse = truth(arguments.get(0, "reverse"));
  const bool case_sensitive = truth(arguments.get(1, "case_sensitive"));
  const Value attribute = arguments.get(2, "attribute");
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : iterate(value)) {
    keyed.emplace_back(sort_key(item, attribute, case_sensitive), item);
  }
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return reverse ? compare(b.first, a.first) < 0 : compare(a.first, b.first) < 0;
  });
  List items;
  for (auto& entry : keyed) items.push_back(std::move(entry.second));
  return Value::list(std::move(items));
}

Value dictsort_filter(const Value& value, const Arguments& arguments) {
  if (!value.as_dict()) throw TemplateFault("TypeError", "dictsort needs a dict");
  const bool case_sensitive = truth(arguments.get(0, "case_sensitive"));
  const Value by = arguments.get(1, "by");
  const std::int64_t index = by.is_string() && by.as<Text>()->str() == "value" ? 1 : 0;
  const bool reverse = truth(arguments.get(2, "reverse"));
  Arguments sorting;
  sorting.positional = {reverse, case_sensitive, index};
  List pairs;
  for (const auto& [key, item] : *value.as_dict()) pairs.push_back(Value::tuple({key, item}));
  return sort_filter(Value::list(std::move(pairs)), sorting);
}

Value unique_filter(const Value& value, const Arguments& arguments) {
  const bool case_sensitive = truth(arguments.get(0, "case_sensitive"));
  const Value attribute = arguments.get(1, "attribute");
  List keys, items;
  for (const Value& item : iterate(value)) {
    const Value key = sort_key(item, attribute, case_sensitive);
    if (contains(Value::list(keys), key)) continue;
    keys.push_back(key);
    items.push_back(item);
  }
  return Value::generator(std::move(items));
}

Value extreme(const Value& value, const Arguments& arguments, int sign) {
  const bool case_sensitive = truth(arguments.get(0, "case_sensitive"));
  const Value attribute = arguments.get(1, "attribute");
  Value best = Value::undefined("No aggregated item, sequence was empty."), best_key;
  for (const Value& item : iterate(value)) {
    const Value key = sort_key(item, attribute, case_sensitive);
    if (!best.is_undefined() && sign * compare(key, best_key) <= 0) continue;
    best = item;
    best_key = key;
  }
  return best;
}

Value sum_filter(const Value& value, const Arguments& arguments) {
  const Value attribute = arguments.get(0, "attribute");
  Value total = arguments.has(1, "start") ? arguments.get(1, "start") : Value(std::int64_t{0});
  for (const Value& item : iterate(value)) {
    const bool whole = attribute.is_undefined() || attribute.is_none();
    total = apply_operator("+", total, whole ? item : get_path(item, attribute));
  }
  return total;
}

/// Lists of `linecount` items; the last one filled up where fill_with is given.
Value batch_filter(const Value& value, const Arguments& arguments) {
  const std::int64_t size = require_integer(arguments.get(0, "linecount"), "batch");
  const Value fill = arguments.get(1, "fill_with");
  List batches, batch;
  for (const Value& item : iterate(value)) {
    if (std::ssize(batch) == size) batches.push_back(Value::list(std::exchange(batch, {})));
    batch.push_back(item);
  }
  while (!batch.empty() && !fill.is_undefined() && !fill.is_none() && std::ssize(batch) < size)
    batch.push_back(fill);
  if (!batch.empty()) batches.push_back(Value::list(std::move(batch)));
  return Value::generator(std::move(batches));
}

/// `slices` lists, the first ones one item longer where it does not come out even.
Value slice_filter(const Value& value, const Arguments& arguments) {
  const std::int64_t count = require_integer(arguments.get(0, "slices"), "slice");
  if (count < 1) throw TemplateFault("ZeroDivisionError", "slice: at least one slice");
  const Value fill = arguments.get(1, "fill_with");
  const List items = iterate(value);
  const std::int64_t size = std::ssize(items) / count, longer = std::ssize(items) % count;
  List slices;
  auto next = items.begin();
  for (std::int64_t i = 0; i < count; ++i) {
    List slice(next, next + size + (i < longer));
    next += std::ssize(slice);
    if (i >= longer && longer > 0 && !fill.is_undefined() && !fill.is_none()) slice.push_back(fill);
    slices.push_back(Value::list(std::move(slice)));
  }
  return Value::generator(std::move(slices));
}

/// Pairs of a value of the attribute and the items that have it, in the order of the values.
Value groupby_filter(const Value& value, const Arguments& arguments) {
  const Value attribute = arguments.get(0, "attribute");
  Arguments sorting;
  sorting.named = {{"attribute", attribute},
                   {"case_sensitive", arguments.get(2, "case_sensitive")}};
  const bool case_sensitive = truth(arguments.get(2, "case_sensitive"));
  List groups;
  Value key;
  List members;
  const auto flush = [&] {
    if (!members.empty())
      groups.push_back(Value::tuple(
          {get_path(members.front(), attribute), Value::list(std::exchange(members, {}))}));
  };
  for (const Value& item : iterate(sort_filter(value, sorting))) {
    const Value own = sort_key(item, attribute, case_sensitive);
    if (!members.empty() && !equals(own, key)) flush();
    key = own;
    members.push_back(item);
  }
  flush();
  return Value::list(std::move(groups));
}

Value map_filter(const Value& value, const Arguments& arguments) {
  if (!truth(value)) return Value::generator({});
  List items;
  for (const Value& item : iterate(value)) {
    if (!arguments.positional.empty()) {
      const std::string filter(require_text(arguments.positional[0], "map").str());
      items.push_back(apply_filter(filter, item, rest(arguments, 1)));
      continue;
    }
    const Value found = get_path(item, arguments.get(0, "attribute"));
    const bool missing = found.is_undefined() && arguments.has(kNamedOnly, "default");
    items.push_back(missing ? arguments.get(kNamedOnly, "default") : found);
  }
  return Value::generator(std::move(items));
}

// select, reject (by the item) and selectattr, rejectattr (by an attribute of it).
Value select(const Value& value, const Arguments& arguments, bool by_attribute, bool keep) {
  const std::size_t first = by_attribute ? 1 : 0;
  if (!truth(value)) return Value::generator({});
  List items;
  for (const Value& item : iterate(value)) {
    const Value subject = by_attribute ? get_path(item, arguments.get(0, "attr")) : item;
    bool passes = false;
    if (arguments.positional.size() > first) {
      const std::string test(require_text(arguments.positional[first], "a test's name").str());
      passes = apply_test(test, subject, rest(arguments, first + 1));
    } else {
      passes = truth(subject);
    }
    if (passes == keep) items.push_back(item);
  }
  return Value::generator(std::move(items));
}

}  // namespace

const std::vector<std::pair<std::string, Value (*)(const Value&, const Arguments&)>>&
list_filters() {
  using A = const Arguments&;
  using V = const Value&;
  static const std::vector<std::pair<std::string, Value (*)(V, A)>> table{
      {"first", first_filter},
      {"last", last_filter},
      {"join", join_filter},
      {"reverse", reverse_filter},
      {"sort", sort_filter},
      {"dictsort", dictsort_filter},
      {"unique", unique_filter},
      {"sum", sum_filter},
      {"batch", batch_filter},
      {"slice", slice_filter},
      {"groupby", groupby_filter},
      {"map", map_filter},
      {"list", [](V v, A) { return Value::list(iterate(v)); }},
      {"min", [](V v, A a) { return extreme(v, a, -1); }},
      {"max", [](V v, A a) { return extreme(v, a, 1); }},
      {"select", [](V v, A a) { return select(v, a, false, true); }},
      {"reject", [](V v, A a) { return select(v, a, false, false); }},
      {"selectattr", [](V v, A a) { return select(v, a, true, true); }},
      {"rejectattr", [](V v, A a) { return select(v, a, true, false); }},
  };
  return table;
}

}  // namespace hone::tokenizer::jinja
