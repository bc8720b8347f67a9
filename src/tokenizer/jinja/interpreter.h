#pragma once

#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/jinja/main_loop.h"
#include "tokenizer/jinja/value.h"
#include "tokenizer/utf8.h"

namespace hone::tokenizer::jinja {

/// A template that was parsed once, in Jinja as transformers sets it up: trim_blocks,
/// lstrip_blocks, loop controls and generation tags. No library does: each character must keep its
/// origin, and an undefined value must be refused where Python refuses it. Immutable; may be
/// rendered by many threads at once.
class Program {
 public:
  /// @throws DataError naming line and reason when the source is not a template, or is larger or
  ///   nested more deeply than any real one
  explicit Program(const std::string& source);
  ~Program();

  struct Output {
    Text text;
    /// What {% generation %} blocks made, in bytes of `text`.
    std::vector<TextRange> generated;
  };

  /// Whether `render` takes up beginnings.
  bool has_main_loop() const;

  /// @param variables what the template sees besides the language's own functions
  /// @param now what strftime_now prints
  /// @throws DataError with the line and what Python's Jinja would raise
  /// @param watch where the template has a MainLoop, takes up what beginnings of the messages give
  Output render(const std::map<std::string, Value>& variables, const std::tm& now,
                PrefixWatch* watch = nullptr) const;

 private:
  struct Tree;
  std::unique_ptr<const Tree> tree_;
};

}  // namespace hone::tokenizer::jinja
