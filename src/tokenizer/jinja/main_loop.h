#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "tokenizer/jinja/ast.h"
#include "tokenizer/jinja/value.h"

namespace hone::tokenizer::jinja {

/// The one loop over `messages` of a template in which nothing before its end can tell how many
/// messages follow: rendering the first `count` messages runs exactly as rendering all of them
/// until the loop ends, and only what stands behind the loop has to be run again.
struct MainLoop {
  std::size_t statement;     ///< place in the template's body
  bool rest_reads_messages;  ///< something behind the loop does
};

/// A proof by the syntax alone. The template has such a loop when
///   - before it, `messages` is only read as messages[0], or given another name whole or as
///     messages[k:], and add_generation_prompt is not read;
///   - the loop goes over `messages` (or that name, or that slice, with or without an `if`), and in
///   it
///     neither of these is read, nor loop.last, loop.length, loop.revindex, loop.nextitem or `loop`
///     itself;
///   - behind it, `messages` is read by no other name;
///   - namespaces, the only values that change, are each held by a variable of their own.
std::optional<MainLoop> find_main_loop(const ast::Nodes& body);

/// Renderings of beginnings of a conversation that are wanted beside that of the whole.
struct PrefixWatch {
  struct Wanted {
    std::size_t count;  ///< messages of the beginning, at least 1
    bool add_generation_prompt;
    bool operator==(const Wanted&) const = default;
  };
  struct Found {
    Wanted wanted;
    std::size_t shared;        ///< bytes of the whole text that the beginning's starts with
    std::optional<Text> rest;  ///< what follows these; nothing where the template refuses it
  };

  Value messages;                                  ///< all of them
  std::unordered_map<Origin, std::size_t> places;  ///< of each message, by its origin
  std::vector<Wanted> wanted;                      ///< ascending by count
  std::vector<Found> found = {};
};

}  // namespace hone::tokenizer::jinja
