#include <fmt/format.h>

#include "base/hash.h"
#include "engine/lineage.h"

namespace hone::engine {
namespace {

struct Node {
  std::string text;
  std::vector<Node> children;
};

/// Eight bytes tell two apart for a person; --json gives them all.
std::string brief(const std::string& sha256) {
  return sha256.empty() ? "" : fmt::format("  sha256 {}", sha256.substr(0, 16));
}

Node input_node(const std::string& what, const Input& input) {
  const bool says_more = !input.path.empty() && input.path != input.name;
  const std::string text = fmt::format("{:<10} {}{}", what, input.name, brief(input.sha256));
  return {text, says_more ? std::vector<Node>{{input.path, {}}} : std::vector<Node>{}};
}

Node data_node(const DataInput& data) {
  std::string text = fmt::format("{:<10} {}", "data", data.name);
  if (data.rows > 0)
    text += fmt::format("  {} rows, {} tokens, {} trained on", data.rows, data.tokens,
                        data.trained_tokens);
  text += fmt::format("  licence {}", data.license.empty() ? "not stated" : data.license);
  Node node{std::move(text), {}};
  for (const Input& file : data.files)
    node.children.push_back({file.name + brief(file.sha256), {}});
  return node;
}

std::string describe(const CodeVersion& code) {
  return fmt::format("hone {} ({}), LibTorch {}", code.hone, code.commit, code.libtorch);
}

std::vector<Node> children_of(const Lineage& lineage);

Node parent_node(const Parent& parent) {
  Node node{fmt::format("{:<10} {}", parent.relation, parent.path), {}};
  for (const Input& file : parent.files)
    node.children.push_back({file.name + brief(file.sha256), {}});
  if (parent.lineage.is_null()) return node;
  for (Node& child : children_of(lineage_from(parent.lineage)))
    node.children.push_back(std::move(child));
  return node;
}

std::vector<Node> children_of(const Lineage& lineage) {
  std::vector<Node> nodes;
  nodes.push_back(
      {fmt::format("{:<10} hone {}, {}", "made by", lineage.made_by, lineage.made_at), {}});
  nodes.push_back(input_node("base", lineage.base));
  if (!lineage.tokenizer.sha256.empty())
    nodes.push_back(input_node("tokenizer", lineage.tokenizer));
  if (!lineage.chat_template.sha256.empty())
    nodes.push_back(input_node("template", lineage.chat_template));
  for (const DataInput& data : lineage.data) nodes.push_back(data_node(data));
  if (!lineage.config.empty())
    nodes.push_back({fmt::format("{:<10}{}", "config", brief(sha256_hex(lineage.config))), {}});
  nodes.push_back({fmt::format("{:<10} {}", "code", describe(lineage.code)), {}});
  const Machine& machine = lineage.machine;
  if (!machine.device.empty())
    nodes.push_back(
        {fmt::format("{:<10} {} on {}, {} threads, {} over {} weights", "computed", machine.device,
                     machine.cpu_model, machine.threads, machine.precision, machine.weights),
         {}});
  for (const Resumption& one : lineage.resumptions)
    nodes.push_back({fmt::format("{:<10} after step {} from {}{}{}", "resumed", one.step,
                                 one.checkpoint, brief(one.manifest_sha256),
                                 one.config.empty() ? "" : ", with other options than before"),
                     {}});
  for (const Parent& parent : lineage.parents) nodes.push_back(parent_node(parent));
  return nodes;
}

void draw(const std::vector<Node>& nodes, const std::string& indent, std::string& out) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const bool is_last = i + 1 == nodes.size();
    out += fmt::format("{}{} {}\n", indent, is_last ? "└─" : "├─", nodes[i].text);
    draw(nodes[i].children, indent + (is_last ? "   " : "│  "), out);
  }
}

}  // namespace

std::string draw_tree(const MadeFolder& made) {
  std::string out = fmt::format("{} {}\n", made.kind, made.folder.string());
  draw(children_of(made.lineage), "", out);
  return out;
}

}  // namespace hone::engine
