#include "config/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

namespace hone::config {
namespace {

constexpr std::size_t kMaxProblems = 50;

int line_of(const YAML::Mark& mark) { return mark.is_null() ? 0 : mark.line + 1; }

/// Turns the parser's events into a tree of nodes.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::vector<YamlProblem>& problems) : problems_(problems) {}

  Node take_root() { return std::move(root_); }

  /// Where a value was about to be read: the innermost key that has none yet. 0: there is no such.
  int open_line() const { return !frames_.empty() && frames_.back().key ? frames_.back().line : 0; }
  /// The dotted path of what is being read.
  std::string path() const {
    std::string path;
    for (const Frame& frame : frames_) {
      if (!frame.key) continue;
      if (!path.empty()) path += '.';
      path += *frame.key;
    }
    return path;
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (std::exchange(started_, true))
      throw YAML::ParserException(mark, "a second document starts here; a config is one document");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    attach(node_at(mark, "", anchor, Node::Kind::kNull));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    add(line_of(mark), "aliases (*name) are not taken; write the value out");
    attach(node_at(mark, "", YAML::NullAnchor, Node::Kind::kRefused));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = node_at(mark, tag, anchor, Node::Kind::kScalar);
    node.quoted = tag == "!";
    node.text = value;
    if (value.find('\0') != std::string::npos) {
      add(node.line, "text with a NUL character is not taken");
      node.kind = Node::Kind::kRefused;
    }
    attach(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, node_at(mark, tag, anchor, Node::Kind::kList), false);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, node_at(mark, tag, anchor, Node::Kind::kMapping), true);
  }
  void OnMapEnd() override { close(); }

 private:
  /// A list or mapping whose end has not come yet.
  struct Frame {
    Node node;
    bool is_mapping;
    std::set<std::string> keys = {};                // of a mapping, to find duplicates
    std::optional<std::string> key = std::nullopt;  // read, and waiting for its value
    int line = 0;                                   // of `key`
    bool drop = false;                              // `key` was refused, so its value is dropped
  };

  /// Ends the reading after many problems, since each costs memory and no one reads thousands.
  void add(int line, std::string what) {
    problems_.push_back({line, path(), std::move(what)});
    if (problems_.size() >= kMaxProblems)
      throw YAML::ParserException(YAML::Mark::null_mark(), "too many problems to go on");
  }

  Node node_at(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
               Node::Kind kind) {
    Node node;
    node.kind = kind;
    node.line = line_of(mark);
    if (anchor != YAML::NullAnchor)
      add(node.line, "anchors (&name) are not taken; write the value out where it is needed");
    // yaml-cpp's own marks: "?" on what is plain, "!" on what is quoted, nothing on what is empty.
    if (!tag.empty() && tag != "?" && tag != "!") {
      add(node.line, fmt::format("tags are not taken; remove {}", quote(tag)));
      node.kind = Node::Kind::kRefused;
    }
    return node;
  }

  void open(const YAML::Mark& mark, Node node, bool is_mapping) {
    if (frames_.size() >= kMaxDocumentDepth)
      throw YAML::ParserException(mark,
                                  fmt::format("nested over {} levels deep", kMaxDocumentDepth));
    frames_.push_back({std::move(node), is_mapping});
  }

  void close() {
    Node node = std::move(frames_.back().node);
    frames_.pop_back();
    attach(std::move(node));
  }

  void attach(Node node) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    if (!frame.is_mapping) {
      frame.node.items.push_back(std::move(node));
    } else if (!frame.key) {
      take_key(frame, std::move(node));
    } else {
      node.key = *std::exchange(frame.key, std::nullopt);
      node.line = frame.line;
      if (!frame.drop) frame.node.items.push_back(std::move(node));
    }
  }

  void take_key(Frame& frame, Node node) {
    frame.drop = true;
    if (node.kind == Node::Kind::kScalar && node.text == "<<" && !node.quoted) {
      add(node.line, "merge keys (<<) are not taken; write the keys out");
    } else if (node.kind == Node::Kind::kScalar && frame.keys.insert(node.text).second) {
      frame.drop = false;
    } else if (node.kind == Node::Kind::kScalar) {
      add(node.line,
          fmt::format("the key {} stands here a second time; keep one", yaml_string(node.text)));
    } else if (node.kind != Node::Kind::kRefused) {
      add(node.line, "expected a name as key, got something that is not plain text");
    }
    frame.key = node.text;
    frame.line = node.line;
  }

  std::vector<YamlProblem>& problems_;
  std::vector<Frame> frames_;
  Node root_;
  bool started_ = false;
};

/// The length in bytes of the UTF-8 character at `at`; 0 where the bytes are not one.
/// @source RFC 3629, section 4: no overlong forms, no surrogates, nothing above U+10FFFF
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  const unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (first < 0xC2 || first > 0xF4 || byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  return length;
}

bool is_control(unsigned char c) { return (c < 0x20 && c != '\t' && c != '\n') || c == 0x7F; }

/// `text` without a byte order mark and with LF line ends.
std::string normalised(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool crlf = text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
    if (!crlf) result.push_back(text[i] == '\r' ? '\n' : text[i]);
  }
  return result;
}

/// What no YAML document may hold. A control character matters beyond tidiness: yaml-cpp takes 0x04
/// for the end of the file.
std::optional<YamlProblem> bad_bytes(std::string_view text) {
  int line = 1;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (is_control(byte))
      return YamlProblem{line, "", fmt::format("control character 0x{:02X}; remove it", byte)};
    const std::size_t length = utf8_length(text, i);
    if (length == 0)
      return YamlProblem{line, "",
                         fmt::format("byte 0x{:02X} is not UTF-8; save the file as UTF-8", byte)};
    if (byte == '\n') ++line;
    i += length;
  }
  return std::nullopt;
}

Node refused(std::vector<YamlProblem>& problems, YamlProblem problem) {
  problems.push_back(std::move(problem));
  Node node;
  node.kind = Node::Kind::kRefused;
  return node;
}

/// yaml-cpp's words for what went wrong, with what usually is behind them.
YamlProblem explain_exception(const YAML::Exception& error, const TreeBuilder& builder,
                              int last_line) {
  const int line = std::min(line_of(error.mark), last_line);
  // The marker appended below was swallowed by a quoted text.
  if (error.msg == YAML::ErrorMsg::DOC_IN_SCALAR || error.msg == YAML::ErrorMsg::EOF_IN_SCALAR) {
    return {builder.open_line() > 0 ? builder.open_line() : line, "",
            "a quotation mark is opened and never closed"};
  }
  return {line, "",
          fmt::format("this is not valid YAML: {}; look at the indentation (spaces, no tabs), "
                      "brackets and quotes here and just above",
                      error.msg)};
}

}  // namespace

Node parse_yaml(std::string_view text, std::vector<YamlProblem>& problems) {
  if (text.size() > kMaxDocumentBytes)
    return refused(problems, {0, "", fmt::format("longer than {} bytes", kMaxDocumentBytes)});
  std::string content = normalised(text);
  if (auto problem = bad_bytes(content)) return refused(problems, std::move(*problem));
  // yaml-cpp takes the end of the file for a missing closing quote, and would so swallow all keys
  // that follow. The end-of-document marker cannot stand inside quotes.
  if (!content.ends_with('\n')) content += '\n';
  const auto last_line = static_cast<int>(std::count(content.begin(), content.end(), '\n'));
  content += "...\n";
  std::istringstream stream(std::move(content));
  TreeBuilder builder(problems);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    return refused(problems, explain_exception(error, builder, last_line));
  }
  return builder.take_root();
}

std::string quote(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      result += fmt::format("\\u{:04x}", byte);
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string yaml_string(std::string_view text) {
  static constexpr std::array<std::string_view, 9> kReserved = {
      "true", "false", "null", "yes", "no", "on", "off", "y", "n"};
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  const auto is_letter = [&](char c) { return lower(c) >= 'a' && lower(c) <= 'z'; };
  const auto is_safe = [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/';
  };
  std::string folded(text);
  std::transform(folded.begin(), folded.end(), folded.begin(), lower);
  const bool plain = !text.empty() && (is_letter(text[0]) || text[0] == '_' || text[0] == '/') &&
                     std::all_of(text.begin(), text.end(), is_safe) &&
                     std::find(kReserved.begin(), kReserved.end(), folded) == kReserved.end();
  return plain ? std::string(text) : quote(text);
}

}  // namespace hone::config
