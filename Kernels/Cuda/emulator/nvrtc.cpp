// Stands in for NVIDIA's libnvrtc so that VAE_KERNELS can be tested without it: clang makes the PTX, from the source and the headers that the caller hands over and nothing
// else. What NVRTC would refuse, an option it does not have, is refused here too. CLANG names the compiler.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <sys/wait.h>

#define API extern "C" __attribute__((visibility("default"))) int

namespace {
enum { Success = 0, InvalidInput = 3, InvalidOption = 5, CompilationError = 6 };

struct Program {
    std::string source, log, ptx;
    std::map<std::string, std::string> headers;
};

std::string contents(const std::filesystem::path& path)
{
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

int size_of(const std::string& text, size_t* size) { return *size = text.size() + 1, Success; }
int copy_of(const std::string& text, char* to) { return memcpy(to, text.c_str(), text.size() + 1), Success; }
}  // namespace

API nvrtcCreateProgram(Program** program, const char* source, const char*, int count, const char* const* headers, const char* const* names)
{
    if (!program || !source || count < 0)
        return InvalidInput;
    *program = new Program{source, "", "", {}};
    for (int i = 0; i < count; i++)
        (*program)->headers[names[i]] = headers[i];
    return Success;
}

API nvrtcCompileProgram(Program* program, int count, const char* const* options)
{
    std::string architecture;
    for (int i = 0; i < count; i++) {
        const std::string option = options[i], prefix = "--gpu-architecture=compute_";
        if (option.rfind(prefix, 0) == 0)
            architecture = "sm_" + option.substr(prefix.size());
        else if (option != "--fmad=false" && option != "--std=c++17" && option != "-default-device" && option != "-lineinfo")
            return program->log = "unknown option " + option, InvalidOption;
    }
    std::string folder = std::filesystem::temp_directory_path() / "nvrtc.XXXXXX";
    if (!mkdtemp(folder.data()))
        return CompilationError;
    const std::filesystem::path in = folder;
    std::ofstream(in / "source.cu") << program->source;
    for (const auto& [name, text] : program->headers)
        std::ofstream(in / name) << text;
    const char* compiler = getenv("CLANG");
    // Without its own PTX version clang picks one that is too old for shuffles.
    const std::string version = architecture >= "sm_90" ? "ptx80" : architecture >= "sm_80" ? "ptx71" : "ptx64";
    const std::string command = "cd " + in.string() + " && " + (compiler ? compiler : "clang++-19") + " -x cuda --cuda-device-only -nocudainc -nocudalib -nostdinc++ -nostdlibinc -std=c++17 -O3"
        " -ffp-contract=off -fno-exceptions -fno-rtti -w --cuda-gpu-arch=" + architecture + " --cuda-feature=+" + version + " -S -o ptx source.cu 2>log";
    const int status = system(command.c_str());
    program->log = contents(in / "log");
    program->ptx = contents(in / "ptx");
    std::filesystem::remove_all(in);
    return status == 0 ? Success : CompilationError;
}

API nvrtcGetProgramLogSize(Program* program, size_t* size) { return size_of(program->log, size); }
API nvrtcGetProgramLog(Program* program, char* log) { return copy_of(program->log, log); }
API nvrtcGetPTXSize(Program* program, size_t* size) { return size_of(program->ptx, size); }
API nvrtcGetPTX(Program* program, char* ptx) { return copy_of(program->ptx, ptx); }
API nvrtcDestroyProgram(Program** program) { return delete *program, Success; }
