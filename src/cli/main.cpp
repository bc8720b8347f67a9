#include "cli/verbs.h"

int main(int argc, char** argv) { return static_cast<int>(hone::cli::run(argc, argv)); }
