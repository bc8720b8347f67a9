#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hone::config {

/// The part of YAML that configs need: mappings with text keys, lists and scalars.
struct Node {
  enum class Kind { kNull, kScalar, kList, kMapping, kRefused };
  Kind kind = Kind::kNull;  ///< kRefused: a problem is reported already, so readers pass over it
  int line = 0;             ///< from 1; of the key where the node has one
  bool quoted = false;      ///< a scalar in quotes, or a block scalar: always text
  std::string key;          ///< where the node is a mapping's value
  std::string text;         ///< of a scalar
  std::vector<Node> items;  ///< of a list or mapping, in the document's order
};

/// What is wrong with a document, without the document's name.
struct YamlProblem {
  int line = 0;     ///< from 1; 0: the whole document
  std::string key;  ///< dotted path as far as known
  std::string what;
};

inline constexpr std::size_t kMaxDocumentBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxDocumentDepth = 64;

/// Reads one YAML document. The tree is built from the parser's events, so that depth, duplicate
/// keys and everything that can grow a document beyond its text (anchors, aliases, merge keys) are
/// refused before anything is built from them; tags and further documents are refused as well.
/// Line ends may be LF, CRLF or CR, and a UTF-8 byte order mark is passed over.
/// @param problems everything that is wrong is appended; the caller goes on with what could be read
/// @return kNull for an empty document; kRefused where the document is not YAML
Node parse_yaml(std::string_view text, std::vector<YamlProblem>& problems);

/// `text` between double quotes on one line, as YAML and JSON read it; control characters escaped.
std::string quote(std::string_view text);

/// `text` as a YAML scalar: plain where YAML 1.1 and 1.2 both read it as that string, else quoted.
std::string yaml_string(std::string_view text);

}  // namespace hone::config
