#include "base/plugin.h"

#include <dlfcn.h>

#include <filesystem>
#include <vector>

#include "base/error.h"

namespace hone {
namespace {

/// Where to look, in order. A name without a folder is the loader's to find.
std::vector<std::string> candidates(const char* name) {
  std::vector<std::string> paths;
  std::error_code unknown;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", unknown);
  if (!unknown) {
    const std::filesystem::path folder = program.parent_path();
    for (const std::filesystem::path& path : {folder / name, folder / "../lib" / name})
      if (std::filesystem::exists(path, unknown)) paths.push_back(path.string());
  }
  paths.emplace_back(name);
  return paths;
}

std::string loader_message() {
  const char* const message = dlerror();
  return message ? message : "no reason given";
}

}  // namespace

void* open_plugin(const char* name, int flags, std::string_view remedy) {
  std::string reasons;
  for (const std::string& path : candidates(name)) {
    if (void* const plugin = dlopen(path.c_str(), flags)) return plugin;
    reasons += "\n  " + loader_message();
  }
  throw Error(fmt::format("{} could not be opened:{}\n{}", name, reasons, remedy));
}

void* plugin_symbol(void* plugin, const char* name, const char* symbol) {
  void* const found = dlsym(plugin, symbol);
  HONE_CHECK(Error, found, "{} is of another version of hone: {}. Build it again.", name,
             loader_message());
  return found;
}

}  // namespace hone
