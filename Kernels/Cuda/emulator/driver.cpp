// A stand-in for libcuda.so.1: the driver entry points that the managed backend binds, running kernels on the emulator. Device memory is host memory,
// filled with NaN when it is handed out and followed by a page that may not be touched. PTX is not executed: its entries and their parameters are compared with
// the kernels compiled into this library, so stale PTX is an error. Settings: VAE_EMULATOR_COMPUTE (75, 80, 90, ...), VAE_EMULATOR_MEMORY (bytes),
// VAE_EMULATOR_ORDER (forward, reverse, random), VAE_EMULATOR_THREADS; a process that has it loaded calls vaeEmulatorConfigure. The order is that of threads and blocks, and of a
// graph's nodes as far as its edges leave it open.
#include "scheduler.h"
#include "copy_engine.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <sys/mman.h>
#include <vector>

using emulator::Kernel;
typedef unsigned long long Address;

namespace {

enum Result { Success = 0, InvalidValue = 1, OutOfMemory = 2, InvalidDevice = 101, NoBinary = 209, InvalidPtx = 218, NotFound = 500, LaunchFailed = 719, CaptureUnsupported = 900, CaptureInvalidated = 901, NotSupported = 801 };

struct Node {
    std::function<int()> work;
    std::vector<size_t> after;  // nodes added before, which must have ended
};
struct Graph { std::deque<Node> nodes; };  // a node's address is its handle
struct Stream { Graph* capture = nullptr; };
struct Event { std::chrono::steady_clock::time_point at; };
struct Function {
    Kernel* kernel;
    bool waits;  // its PTX does, for the kernels before it
    unsigned sharedLimit = 49152;
};
struct Module { std::map<std::string, Function> functions; };
struct LaunchAttribute {
    int id;
    union {
        int allowed;
        char value[64] __attribute__((aligned(8)));
    };
};
struct LaunchConfig {
    unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, shared;
    void* stream;
    const LaunchAttribute* attributes;
    unsigned count;
};
struct KernelNodeParams {
    void* function;
    unsigned gridX, gridY, gridZ, blockX, blockY, blockZ, shared;
    void** parameters;
    void** extra;
};
static_assert(sizeof(LaunchAttribute) == 72 && sizeof(LaunchConfig) == 56 && sizeof(KernelNodeParams) == 56, "as in cuda.h");
struct Block { char* base; size_t mapped, bytes; };
// Arguments are kept at addresses of this alignment, the largest that a parameter asks for: a tensor map's.
struct alignas(64) ArgumentLine { char bytes[64]; };

constexpr size_t Page = 4096;
constexpr int ProgrammaticStreamSerialization = 6;
Stream defaultStream;
std::mutex lock;
std::map<Address, Block> memory;
size_t used, capacity = (size_t)4 << 30;
int compute = 90;
int sticky;
std::string failingKernel;

Stream* stream_of(void* stream) { return stream ? (Stream*)stream : &defaultStream; }

int enqueue(void* stream, std::function<int()> work)
{
    Stream* s = stream_of(stream);
    if (s->capture) {
        auto& nodes = s->capture->nodes;
        nodes.push_back({std::move(work), nodes.empty() ? std::vector<size_t>() : std::vector<size_t>{nodes.size() - 1}});
        return Success;
    }
    if (sticky)
        return sticky;
    // As on a device, what goes wrong inside shows at a later call.
    if (const int result = work())
        sticky = result;
    return Success;
}

// Each node once those that it comes after have run: of these forward the first added, in reverse the last, at random any, another one in each run. A missing edge gives other bits.
int run(const Graph& graph)
{
    static unsigned runs;
    std::minstd_rand random(emulator::seed() + ++runs);
    std::vector<size_t> waits(graph.nodes.size()), ready;
    std::vector<std::vector<size_t>> before(graph.nodes.size());
    for (size_t i = 0; i < graph.nodes.size(); i++) {
        waits[i] = graph.nodes[i].after.size();
        for (const size_t earlier : graph.nodes[i].after)
            before[earlier].push_back(i);
        if (!waits[i])
            ready.push_back(i);
    }
    while (!ready.empty()) {
        const auto chosen = emulator::order() == emulator::Order::Forward ? std::min_element(ready.begin(), ready.end())
            : emulator::order() == emulator::Order::Reverse ? std::max_element(ready.begin(), ready.end()) : ready.begin() + random() % ready.size();
        const size_t node = *chosen;
        ready.erase(chosen);
        if (const int result = graph.nodes[node].work())
            return result;
        for (const size_t later : before[node])
            if (!--waits[later])
                ready.push_back(later);
    }
    return Success;
}

// What a launch does, with its arguments as they are now; nothing where it is not one that the driver takes.
std::function<int()> prepare(const LaunchConfig& config, const Function* function, void** parameters, void** extra)
{
    if (!function || !parameters || extra || config.gridY > 65535 || config.gridZ > 65535 || !config.gridX || !config.gridY || !config.gridZ || config.shared > function->sharedLimit)
        return nullptr;
    bool overlaps = false;
    for (unsigned i = 0; i < config.count; i++) {
        if (config.attributes[i].id != ProgrammaticStreamSerialization)
            return nullptr;
        overlaps = config.attributes[i].allowed;
    }
    Kernel* const kernel = function->kernel;
    std::vector<ArgumentLine> arguments;
    std::vector<size_t> offsets;
    for (int i = 0; i < kernel->parameters; i++) {
        offsets.push_back(arguments.size());
        arguments.resize(arguments.size() + (kernel->size[i] + sizeof(ArgumentLine) - 1) / sizeof(ArgumentLine));
        memcpy(&arguments[offsets[i]], parameters[i], kernel->size[i]);
    }
    const dim3 grid = {config.gridX, config.gridY, config.gridZ}, block = {config.blockX, config.blockY, config.blockZ};
    return [=, shared = config.shared, waits = function->waits]() mutable -> int {
        if (failingKernel == kernel->name)
            return LaunchFailed;
        if (overlaps && !waits) {
            emulator::set_error(std::string(kernel->name) + ": launched to overlap with the kernel before it, but its PTX does not wait for that one (griddepcontrol.wait)");
            return LaunchFailed;
        }
        std::vector<void*> pointers;
        for (size_t offset : offsets)
            pointers.push_back(&arguments[offset]);
        return emulator::launch(kernel, grid, block, shared, pointers.data(), overlaps) ? Success : LaunchFailed;
    };
}

bool inside(Address p, size_t bytes)
{
    std::lock_guard<std::mutex> hold(lock);
    auto next = memory.upper_bound(p);
    if (next == memory.begin())
        return false;
    --next;
    return p + bytes <= next->first + next->second.bytes;
}

void read_environment()
{
    if (const char* value = getenv("VAE_EMULATOR_COMPUTE"))
        compute = atoi(value);
    if (const char* value = getenv("VAE_EMULATOR_MEMORY"))
        capacity = strtoull(value, nullptr, 10);
    const char* order = getenv("VAE_EMULATOR_ORDER");
    const char* threads = getenv("VAE_EMULATOR_THREADS");
    const emulator::Order chosen = !order || *order == 'f' ? emulator::Order::Forward : !strcmp(order, "reverse") ? emulator::Order::Reverse : emulator::Order::Random;
    if (order || threads)
        emulator::configure(chosen, threads ? atoi(threads) : 0, 1);
}

size_t size_of_parameter(const char* type)
{
    static const struct { const char* name; size_t bytes; } types[] = {{".u64", 8}, {".b64", 8}, {".s64", 8}, {".f64", 8}, {".u32", 4}, {".b32", 4}, {".s32", 4}, {".f32", 4}, {".u16", 2}, {".b16", 2}, {".u8", 1}, {".b8", 1}};
    for (const auto& t : types)
        if (!strncmp(type, t.name, strlen(t.name)))
            return t.bytes;
    return 0;
}

std::string check_entry(const std::string& name, const char* begin, const char* end)
{
    const Kernel* kernel = emulator::find(name.c_str());
    if (!kernel)
        return "kernel " + name + " is not compiled into the emulator\n";
    std::vector<size_t> sizes;
    for (const char* p = begin; (p = strstr(p, ".param ")) && p < end; p += 7) {
        const char* type = strchr(p + 7, '.');
        if (!strncmp(type, ".align", 6))
            type = strchr(type + 6, '.');
        size_t bytes = size_of_parameter(type);
        const char* last = type;
        while (last < end && *last != ',' && *last != '\n')
            last++;
        const char* bracket = (const char*)memchr(type, '[', last - type);
        if (bracket)
            bytes *= strtoul(bracket + 1, nullptr, 10);
        sizes.push_back(bytes);
    }
    if ((int)sizes.size() != kernel->parameters)
        return name + ": the PTX has another number of parameters than the source; it is stale\n";
    for (size_t i = 0; i < sizes.size(); i++)
        if (sizes[i] != kernel->size[i])
            return name + ": parameter " + std::to_string(i) + " differs in size between the PTX and the source; the PTX is stale\n";
    return "";
}
}  // namespace

#define API extern "C" __attribute__((visibility("default"))) int

API vaeEmulatorConfigure(int order, int threads, unsigned seed, int computeCapability, Address bytes)
{
    emulator::configure((emulator::Order)order, threads, seed);
    compute = computeCapability;
    capacity = bytes;
    return Success;
}

// The named kernel fails when it runs next; null clears that and the error it left.
API vaeEmulatorFail(const char* kernel)
{
    failingKernel = kernel ? kernel : "";
    if (!kernel)
        sticky = 0;
    return Success;
}

API cuInit(unsigned)
{
    static const bool once = (read_environment(), true);
    (void)once;
    return Success;
}
API cuDriverGetVersion(int* version) { *version = 13000; return Success; }
API cuDeviceGetCount(int* count) { *count = 1; return Success; }
API cuDeviceGet(int* device, int ordinal) { *device = 0; return ordinal ? InvalidDevice : Success; }
API cuDeviceGetName(char* name, int length, int) { snprintf(name, length, "CUDA emulator on the host"); return Success; }
API cuDeviceTotalMem_v2(size_t* bytes, int) { *bytes = capacity; return Success; }
API cuDeviceGetAttribute(int* value, int attribute, int)
{
    switch (attribute) {
    case 1: *value = 1024; break;          // threads per block
    case 10: *value = 32; break;           // warp size
    case 13: *value = 1000000; break;      // clock, kHz
    case 16: *value = 4; break;            // multiprocessors
    case 38: *value = 1 << 20; break;      // L2 bytes
    case 75: *value = compute / 10; break;
    case 76: *value = compute % 10; break;
    case 97: *value = 101376; break;       // shared memory a block may opt in to
    default: *value = 0; break;
    }
    return Success;
}
API cuDevicePrimaryCtxRetain(void** context, int) { *context = (void*)1; return Success; }
API cuDevicePrimaryCtxRelease_v2(int) { return Success; }
API cuCtxSetCurrent(void*) { return Success; }
API cuMemGetInfo_v2(size_t* free, size_t* total)
{
    *total = capacity;
    *free = capacity > used ? capacity - used : 0;
    return Success;
}
API cuMemAlloc_v2(Address* address, size_t bytes)
{
    if (!bytes)
        return InvalidValue;
    std::lock_guard<std::mutex> hold(lock);
    if (used + bytes > capacity)
        return OutOfMemory;
    const size_t aligned = (bytes + 63) & ~(size_t)63, mapped = ((aligned + Page - 1) & ~(Page - 1)) + Page;
    char* base = (char*)mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return OutOfMemory;
    mprotect(base + mapped - Page, Page, PROT_NONE);
    memset(base, 0xff, mapped - Page);
    *address = (Address)(base + mapped - Page - aligned);
    memory[*address] = {base, mapped, bytes};
    used += bytes;
    return Success;
}
API cuMemFree_v2(Address address)
{
    std::lock_guard<std::mutex> hold(lock);
    const auto found = memory.find(address);
    if (found == memory.end())
        return InvalidValue;
    used -= found->second.bytes;
    munmap(found->second.base, found->second.mapped);
    memory.erase(found);
    return Success;
}
API cuMemAllocHost_v2(void** p, size_t bytes) { *p = aligned_alloc(256, (bytes + 255) & ~(size_t)255); return *p ? Success : OutOfMemory; }
API cuMemFreeHost(void* p) { free(p); return Success; }
API cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t bytes, void* stream)
{
    if (!inside(to, bytes))
        return InvalidValue;
    return enqueue(stream, [=] { memcpy((void*)to, from, bytes); return 0; });
}
API cuMemcpyDtoHAsync_v2(void* to, Address from, size_t bytes, void* stream)
{
    if (!inside(from, bytes))
        return InvalidValue;
    return enqueue(stream, [=] { memcpy(to, (void*)from, bytes); return 0; });
}
API cuMemsetD32Async(Address to, unsigned value, size_t words, void* stream)
{
    if (!inside(to, words * 4))
        return InvalidValue;
    return enqueue(stream, [=] { for (size_t i = 0; i < words; i++) ((unsigned*)to)[i] = value; return 0; });
}
API cuStreamCreate(void** stream, unsigned) { *stream = new Stream; return Success; }
API cuStreamDestroy_v2(void* stream) { delete (Stream*)stream; return Success; }
API cuStreamSynchronize(void* stream) { return stream_of(stream)->capture ? CaptureUnsupported : sticky; }
API cuStreamBeginCapture_v2(void* stream, int)
{
    if (!stream || stream_of(stream)->capture)
        return CaptureInvalidated;
    stream_of(stream)->capture = new Graph;
    return Success;
}
API cuStreamEndCapture(void* stream, void** graph)
{
    if (!stream_of(stream)->capture)
        return CaptureInvalidated;
    *graph = stream_of(stream)->capture;
    stream_of(stream)->capture = nullptr;
    return Success;
}
API cuGraphCreate(void** graph, unsigned flags)
{
    if (flags)
        return InvalidValue;
    *graph = new Graph;
    return Success;
}
API cuGraphAddKernelNode(void** node, void* handle, void* const* dependencies, size_t count, const KernelNodeParams* p)
{
    Graph* const graph = (Graph*)handle;
    if (!node || !graph || !p || (count && !dependencies))
        return InvalidValue;
    std::vector<size_t> after;
    for (size_t i = 0; i < count; i++) {
        size_t earlier = 0;
        while (earlier < graph->nodes.size() && &graph->nodes[earlier] != dependencies[i])
            earlier++;
        if (earlier == graph->nodes.size() || std::find(after.begin(), after.end(), earlier) != after.end())
            return InvalidValue;
        after.push_back(earlier);
    }
    auto work = prepare({p->gridX, p->gridY, p->gridZ, p->blockX, p->blockY, p->blockZ, p->shared, nullptr, nullptr, 0}, (const Function*)p->function, p->parameters, p->extra);
    if (!work)
        return InvalidValue;
    graph->nodes.push_back({std::move(work), std::move(after)});
    *node = &graph->nodes.back();
    return Success;
}
API cuGraphInstantiateWithFlags(void** instance, void* graph, unsigned long long) { *instance = new Graph(*(Graph*)graph); return Success; }
API cuGraphLaunch(void* instance, void* stream)
{
    const Graph* graph = (const Graph*)instance;
    return enqueue(stream, [graph] { return run(*graph); });
}
API cuGraphExecDestroy(void* instance) { delete (Graph*)instance; return Success; }
API cuGraphDestroy(void* graph) { delete (Graph*)graph; return Success; }
API cuEventCreate(void** event, unsigned) { *event = new Event; return Success; }
API cuEventRecord(void* event, void* stream) { return enqueue(stream, [event] { ((Event*)event)->at = std::chrono::steady_clock::now(); return 0; }); }
API cuEventSynchronize(void*) { return sticky; }
API cuEventElapsedTime(float* milliseconds, void* from, void* to)
{
    *milliseconds = std::chrono::duration<float, std::milli>(((Event*)to)->at - ((Event*)from)->at).count();
    return Success;
}
API cuEventDestroy_v2(void* event) { delete (Event*)event; return Success; }
API cuGetErrorName(int error, const char** name)
{
    static const std::map<int, const char*> names{{InvalidValue, "CUDA_ERROR_INVALID_VALUE"}, {OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY"}, {InvalidDevice, "CUDA_ERROR_INVALID_DEVICE"},
        {NoBinary, "CUDA_ERROR_NO_BINARY_FOR_GPU"}, {InvalidPtx, "CUDA_ERROR_INVALID_PTX"}, {NotFound, "CUDA_ERROR_NOT_FOUND"}, {LaunchFailed, "CUDA_ERROR_LAUNCH_FAILED"},
        {NotSupported, "CUDA_ERROR_NOT_SUPPORTED"}, {CaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"}, {CaptureInvalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"}};
    const auto found = names.find(error);
    *name = found == names.end() ? "CUDA_ERROR_UNKNOWN" : found->second;
    return Success;
}
API cuGetErrorString(int error, const char** text)
{
    *text = error == LaunchFailed ? emulator::last_error().c_str() : "reported by the emulator";
    return Success;
}

API cuModuleLoadDataEx(void** module, const char* image, unsigned count, const int* options, void** values)
{
    std::string log;
    auto loaded = std::make_unique<Module>();
    if (const char* target = strstr(image, ".target sm_"))
        if (atoi(target + 11) > compute) {
            log = "the PTX is for " + std::string(target + 8, strcspn(target + 8, ", \n")) + ", the device is sm_" + std::to_string(compute) + "\n";
        }
    for (const char* p = image; (p = strstr(p, ".entry "));) {
        p += 7;
        const std::string name(p, strcspn(p, "( \n"));
        const char* end = strchr(p, ')');
        if (!end)
            break;
        log += check_entry(name, p, end);
        const char *next = strstr(end, ".entry "), *wait = strstr(end, "griddepcontrol.wait");
        loaded->functions[name] = {emulator::find(name.c_str()), wait && (!next || wait < next)};
        p = end;
    }
    if (loaded->functions.empty())
        log += "no .entry in the image\n";
    for (unsigned i = 0; i < count; i++)
        if (options[i] == 5)
            for (unsigned j = 0; j < count; j++)
                if (options[j] == 6)
                    snprintf((char*)values[i], (size_t)values[j], "%s", log.c_str());
    if (!log.empty())
        return InvalidPtx;
    *module = loaded.release();
    return Success;
}
API cuModuleUnload(void* module) { delete (Module*)module; return Success; }
API cuModuleGetFunction(void** function, void* module, const char* name)
{
    auto& functions = ((Module*)module)->functions;
    const auto found = functions.find(name);
    if (found == functions.end())
        return NotFound;
    *function = &found->second;
    return Success;
}
API cuFuncSetAttribute(void* function, int attribute, int value)
{
    if (attribute == 8)
        ((Function*)function)->sharedLimit = value;
    return Success;
}
API cuFuncGetAttribute(int* value, int, void*) { *value = 0; return Success; }
API cuTensorMapEncodeTiled(TensorMap* map, int type, unsigned rank, void* at, const uint64_t* sizes, const uint64_t* strides, const unsigned* box, const unsigned* elementStrides,
    int interleave, int swizzle, int promotion, int fill)
{
    if (compute < 90)
        return NotSupported;
    return emulator::encode_matrix(map, type, rank, at, sizes, strides, box, elementStrides, interleave, swizzle, promotion, fill) ? Success : InvalidValue;
}
API cuLaunchKernelEx(const LaunchConfig* config, void* handle, void** parameters, void** extra)
{
    auto work = config ? prepare(*config, (const Function*)handle, parameters, extra) : nullptr;
    return work ? enqueue(config->stream, std::move(work)) : InvalidValue;
}
API cuLaunchKernel(void* function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, unsigned blockZ, unsigned shared, void* stream, void** parameters, void** extra)
{
    const LaunchConfig config = {gridX, gridY, gridZ, blockX, blockY, blockZ, shared, stream, nullptr, 0};
    return cuLaunchKernelEx(&config, function, parameters, extra);
}
