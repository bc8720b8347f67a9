#include "cli/data_verbs.h"

namespace hone::cli {
namespace {

struct DataVerb {
  const char* name;
  const char* help;
  Declare declare;
};

constexpr DataVerb kDataVerbs[] = {
    {"audit", "What is wrong or odd with rows.", declare_data_audit},
    {"clean", "Leave rows out, or put them right, as the audit finds them.", declare_data_clean},
    {"inspect", "Rows as the model sees them: what is trained on, weights, stop tokens.",
     declare_data_inspect},
    {"build", "Tokenise rows once, into the cache that runs read them from.", declare_data_build},
    {"convert", "Rows of one format or container into another.", declare_data_convert},
    {"prefer", "Edits, regenerations, thumbs, and a judge's verdicts into rows of preference.",
     declare_data_prefer},
    {"split", "Rows into those to train on and those to evaluate on.", declare_data_split},
    {"sample", "A number of rows, drawn at random.", declare_data_sample},
    {"render", "Conversations through the chat template.", declare_data_render},
};

}  // namespace

Action declare_data(CLI::App& command, const Common& common) {
  command.require_subcommand(1);
  auto action = std::make_shared<Action>();
  for (const DataVerb& verb : kDataVerbs) {
    CLI::App* chosen = command.add_subcommand(verb.name, verb.help);
    chosen->fallthrough();
    chosen->final_callback([action, act = verb.declare(*chosen, common)] { *action = act; });
  }
  return [action] { return (*action)(); };
}

}  // namespace hone::cli
