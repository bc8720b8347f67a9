#pragma once

#include <string>
#include <string_view>

namespace hone {

/// Opens a library of hone's own that is loaded only where it is needed. It is looked for beside
/// the program, in ../lib from there, then where the loader looks.
/// @param flags of dlopen
/// @param remedy what to do where it is missing, as a sentence; ends the message
/// @throws Error with the loader's reasons
void* open_plugin(const char* name, int flags, std::string_view remedy);

/// @throws Error where the library has no such symbol, so is of another version
void* plugin_symbol(void* plugin, const char* name, const char* symbol);

}  // namespace hone
