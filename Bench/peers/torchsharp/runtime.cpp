// The one symbol of a newer C++ runtime that TorchSharp's library asks for; see run.sh.
#include <ios>
static std::ios_base::Init init;
extern "C" __attribute__((visibility("default"))) void _ZSt21ios_base_library_initv() {}
