// A stand-in for libcuda.so.1, good enough for ILGPU 1.5 and for our own calls. Kernels compiled into this library run on the emulator,
// after their PTX has been compared with them: stale PTX is refused. Kernels of any other module, such as ILGPU's, are accepted, checked
// against a card's limits, written down, and do nothing. Device memory is host memory, filled with NaN when it is handed out and followed
// by a page that may not be touched. Every thread has a current context or none, as on a card, and what a capture forbids is refused with
// 900 and spoils it. Settings: VAE_EMULATOR_COMPUTE (80, 90, ..), VAE_EMULATOR_MEMORY (bytes), VAE_EMULATOR_ORDER (forward, reverse,
// random), VAE_EMULATOR_THREADS, VAE_EMULATOR_RECORD (a file that gets one line a call); a process that has it loaded calls
// vaeEmulatorConfigure and vaeEmulatorRecord.
#include "scheduler.h"
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <sys/mman.h>
#include <thread>
#include <vector>

using emulator::Kernel;
typedef unsigned long long Address;

namespace {

enum Result {
    Success = 0, InvalidValue = 1, OutOfMemory = 2, InvalidDevice = 101, InvalidContext = 201, InvalidPtx = 218, InvalidHandle = 400,
    NotFound = 500, NotReady = 600, LaunchFailed = 719, NotSupported = 801, CaptureUnsupported = 900, CaptureInvalidated = 901
};

typedef std::function<int()> Work;
struct Graph { std::vector<Work> nodes; };
struct Stream {
    int number;
    std::unique_ptr<Graph> capture;
    std::deque<std::function<bool()>> waiting;  // what has not happened yet, as it depends on others; each says whether it has now
};
struct Event {
    std::chrono::steady_clock::time_point at;
    bool recorded = false;
};
struct Parameter { size_t bytes, offset; };
struct Function {
    std::string name;
    Kernel* kernel;  // null where it is none of ours
    std::vector<Parameter> parameters;
    size_t parameterBytes;
    unsigned staticShared, mostThreads, mostDynamicShared;
};
struct Module { std::map<std::string, Function> functions; };
struct Block { char* base; size_t mapped, bytes; void* owner; };

constexpr size_t Page = 4096;
constexpr unsigned SharedWithoutAsking = 49152;
constexpr int ContextHandle = 0xc0, PrimaryHandle = 0xc1;
Stream defaultStream;
std::atomic<int> streams;
std::mutex lock, recordLock;
std::map<Address, Block> memory;
size_t used, capacity = (size_t)4 << 30;
int compute = 90;
std::atomic<int> sticky;
std::string failingKernel;
FILE* recording;

thread_local void* current;
thread_local std::vector<void*> below;  // what cuCtxPopCurrent_v2 goes back to
// The one capture that there is at a time.
std::atomic<Stream*> capturing;
int captureMode;
std::thread::id captureThread;
std::atomic<bool> captureSpoilt;

void record(const char* format, ...) __attribute__((format(printf, 1, 2)));
void record(const char* format, ...)
{
    std::lock_guard<std::mutex> hold(recordLock);
    if (!recording)
        return;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(recording, format, arguments);
    va_end(arguments);
    fputc('\n', recording);
    fflush(recording);
}

void record_to(const char* path)
{
    std::lock_guard<std::mutex> hold(recordLock);
    if (recording)
        fclose(recording);
    recording = path && *path ? fopen(path, "a") : nullptr;
}

int refuse(const char* call, int error)
{
    record("!! %s: %d", call, error);
    return error;
}

int refuse_in_capture(const char* call)
{
    captureSpoilt = true;
    return refuse(call, CaptureUnsupported);
}

// What CUDA calls potentially unsafe: in mode 0 (global) from any thread, in mode 1 (thread-local) from the thread that captures, in mode
// 2 never.
bool is_unsafe() { return capturing && (captureMode == 0 || (captureMode == 1 && std::this_thread::get_id() == captureThread)); }
// Waiting for a stream that is being captured, and anything on the default stream beside a capture.
bool waits_for_capture(const Stream* s) { return capturing && (s == capturing || (s == &defaultStream && captureMode != 2)); }

#define NEEDS_CONTEXT              \
    if (!current)                  \
        return refuse(__func__, InvalidContext);
#define UNSAFE_IN_CAPTURE          \
    NEEDS_CONTEXT                  \
    if (is_unsafe())               \
        return refuse_in_capture(__func__);

Stream* stream_of(void* stream) { return stream ? (Stream*)stream : &defaultStream; }

int enqueue(const char* call, void* stream, Work work)
{
    Stream* const s = stream_of(stream);
    if (!current)
        return refuse(call, InvalidContext);
    if (s->capture) {
        s->capture->nodes.push_back(std::move(work));
        return Success;
    }
    if (waits_for_capture(s))
        return refuse_in_capture(call);
    if (sticky)
        return sticky;
    // As on a device, what goes wrong inside shows at a later call.
    const auto now = [work = std::move(work)] {
        if (const int result = work())
            sticky = result;
        return true;
    };
    if (s->waiting.empty())
        now();
    else
        s->waiting.push_back(now);
    return Success;
}

// Whether memory was handed out, and where a context is named, is that one's: another one of the same device may not touch it.
bool inside(Address p, size_t bytes, void* context = nullptr)
{
    std::lock_guard<std::mutex> hold(lock);
    const auto next = memory.upper_bound(p);
    if (next == memory.begin())
        return false;
    const auto& [first, block] = *std::prev(next);
    return p + bytes <= first + block.bytes && (!context || block.owner == context);
}

// A copy or fill, unless what it needs is not there.
template<class F> int move(const char* call, size_t bytes, void* stream, bool there, F action)
{
    record("%s %zu stream %d", call, bytes, stream_of(stream)->number);
    return there ? enqueue(call, stream, [=] { action(); return 0; }) : refuse(call, InvalidValue);
}

unsigned most_shared_of_block() { return (compute >= 100 || compute == 90 ? 227 : compute % 10 == 0 ? 163 : 99) << 10; }

void read_environment()
{
    if (const char* value = getenv("VAE_EMULATOR_COMPUTE"))
        compute = atoi(value);
    if (const char* value = getenv("VAE_EMULATOR_MEMORY"))
        capacity = strtoull(value, nullptr, 10);
    if (const char* value = getenv("VAE_EMULATOR_RECORD"))
        record_to(value);
    const char *order = getenv("VAE_EMULATOR_ORDER"), *threads = getenv("VAE_EMULATOR_THREADS");
    const emulator::Order chosen = !order || *order == 'f' ? emulator::Order::Forward
        : !strcmp(order, "reverse") ? emulator::Order::Reverse
        : emulator::Order::Random;
    if (order || threads)
        emulator::configure(chosen, threads ? atoi(threads) : 0, 1);
}

// ---- PTX: entries, their parameters, their static shared memory

size_t size_of_type(const char* type)
{
    const size_t digits = strcspn(type, "0123456789");
    return strtoul(type + digits, nullptr, 10) / 8;
}

// Of a declaration such as ".param .align 8 .b8 name[80]" after its first word: bytes, and the alignment.
size_t size_of_declaration(const std::string& text, size_t& alignment)
{
    size_t at = text.find('.');
    alignment = 0;
    const auto is = [&](const char* word) { return text.compare(at, strlen(word), word) == 0; };
    while (at != std::string::npos && (is(".align") || is(".ptr") || is(".global"))) {
        if (is(".align"))
            alignment = strtoul(text.c_str() + at + 6, nullptr, 10);
        at = text.find('.', at + 1);
    }
    if (at == std::string::npos)
        return 0;
    const size_t element = size_of_type(text.c_str() + at), bracket = text.find('[', at);
    alignment = alignment ? alignment : element;
    return bracket == std::string::npos ? element : element * strtoul(text.c_str() + bracket + 1, nullptr, 10);
}

typedef std::pair<std::string, unsigned> SharedVariable;  // its name and bytes

std::vector<SharedVariable> shared_variables(const std::string& ptx)
{
    std::vector<SharedVariable> found;
    for (size_t at = 0; (at = ptx.find(".shared .", at)) != std::string::npos; at++) {
        if (at >= 8 && ptx.compare(at - 8, 8, ".extern ") == 0)
            continue;
        const std::string text = ptx.substr(at + 8, ptx.find(';', at) - at - 8);
        size_t alignment;
        const size_t bytes = size_of_declaration(text, alignment), bracket = text.find('[');
        const size_t last = text.find_last_not_of(' ', bracket == std::string::npos ? bracket : bracket - 1);
        const size_t first = text.find_last_of(" \t", last);
        found.push_back({text.substr(first + 1, last - first), (unsigned)bytes});
    }
    return found;
}

// The entry whose name begins at `at`, which is moved behind it.
Function read_entry(const std::string& ptx, size_t& at, const std::vector<SharedVariable>& shared)
{
    Function f = {};
    f.name = ptx.substr(at, ptx.find_first_of("( \n", at) - at);
    f.kernel = emulator::find(f.name.c_str());
    const size_t open = ptx.find('(', at), body = ptx.find('{', open), close = std::min(ptx.find(')', open), body);
    const size_t end = std::min(ptx.find(".entry ", body), ptx.size());
    for (size_t p = open; (p = ptx.find(".param", p)) < close; p += 6) {
        size_t alignment;
        const size_t bytes = size_of_declaration(ptx.substr(p + 6, std::min(ptx.find(',', p), close) - p - 6), alignment);
        const size_t offset = (f.parameterBytes + alignment - 1) / std::max<size_t>(alignment, 1) * alignment;
        f.parameters.push_back({bytes, offset});
        f.parameterBytes = offset + bytes;
    }
    f.mostThreads = 1024;
    if (const size_t limit = ptx.find(".maxntid", close); limit < body) {
        unsigned sizes[3] = {1, 1, 1};
        sscanf(ptx.c_str() + limit + 8, " %u , %u , %u", sizes, sizes + 1, sizes + 2);
        f.mostThreads = sizes[0] * sizes[1] * sizes[2];
    }
    for (const auto& [name, bytes] : shared)
        if (ptx.find(name, body) < end)
            f.staticShared += bytes;
    // The assembler lets dynamic shared memory begin behind the static where its alignment allows.
    if (const size_t dynamic = ptx.find(".extern .shared .align "); dynamic != std::string::npos) {
        const unsigned alignment = atoi(ptx.c_str() + dynamic + 23);
        f.staticShared = (f.staticShared + alignment - 1) / alignment * alignment;
    }
    f.mostDynamicShared = SharedWithoutAsking - std::min(f.staticShared, SharedWithoutAsking);
    at = end;
    return f;
}

// Why a module cannot be loaded, one line each: where one of its kernels is ours all must be, as this library has them.
std::string complaints(const std::string& ptx, const Module& module)
{
    std::string log;
    const size_t target = ptx.find(".target sm_");
    if (const int wanted = target == std::string::npos ? 0 : atoi(ptx.c_str() + target + 11); wanted > compute)
        log += "the PTX is for sm_" + std::to_string(wanted) + ", the device is sm_" + std::to_string(compute) + "\n";
    bool ours = false;
    for (const auto& [name, f] : module.functions)
        ours |= f.kernel != nullptr;
    for (const auto& [name, f] : module.functions) {
        if (ours && !f.kernel)
            log += "kernel " + name + " is not compiled into the emulator\n";
        if (f.kernel) {
            bool same = (int)f.parameters.size() == f.kernel->parameters;
            for (int i = 0; same && i < f.kernel->parameters; i++)
                same = f.parameters[i].bytes == f.kernel->size[i];
            if (!same)
                log += name + ": the PTX has other parameters than the source; it is stale\n";
        }
        if (f.staticShared > SharedWithoutAsking)
            log += name + ": more than " + std::to_string(SharedWithoutAsking) + " bytes of static shared memory\n";
    }
    if (module.functions.empty())
        log += "no .entry in the image\n";
    return log;
}

// The arguments of a launch as they are now, by pointers or in one buffer; empty where that is not right.
std::vector<char> arguments_of(const Function& f, void** parameters, void** extra)
{
    std::vector<char> values(f.parameterBytes + 1);
    if (parameters && !extra) {
        for (size_t i = 0; i < f.parameters.size(); i++)
            memcpy(&values[f.parameters[i].offset], parameters[i], f.parameters[i].bytes);
        return values;
    }
    const void* buffer = nullptr;
    size_t bytes = 0;
    for (; extra && *extra; extra += 2) {
        if (*extra == (void*)1)
            buffer = extra[1];
        else if (*extra == (void*)2)
            bytes = *(size_t*)extra[1];
    }
    if (f.parameterBytes && (!buffer || bytes < f.parameterBytes))
        return {};
    if (f.parameterBytes)
        memcpy(values.data(), buffer, f.parameterBytes);
    return values;
}

int run(const Function& f, dim3 grid, unsigned threads, unsigned shared, const std::vector<char>& arguments)
{
    if (failingKernel == f.name)
        return LaunchFailed;
    if (!f.kernel)
        return Success;
    std::vector<void*> pointers;
    for (const Parameter& p : f.parameters)
        pointers.push_back((void*)&arguments[p.offset]);
    return emulator::launch(f.kernel, grid, threads, shared, pointers.data()) ? Success : LaunchFailed;
}
}  // namespace

#define API extern "C" __attribute__((visibility("default"))) int

// ---- for tests

API vaeEmulatorConfigure(int order, int threads, unsigned seed, int computeCapability, Address bytes)
{
    emulator::configure((emulator::Order)order, threads, seed);
    compute = computeCapability;
    capacity = bytes;
    return Success;
}

// Appends every call from now on to a file; null ends that.
API vaeEmulatorRecord(const char* path) { record_to(path); return Success; }

// The named kernel fails when it runs next; null clears that and the error it left.
API vaeEmulatorFail(const char* kernel)
{
    failingKernel = kernel ? kernel : "";
    if (!kernel)
        sticky = 0;
    return Success;
}

// For the stand-ins of other libraries: a line of the record; whether memory is the current context's; and work of a stream that is done
// once it says so, when the stream is asked.
API vaeEmulatorNote(const char* line) { record("%s", line); return Success; }
API vaeEmulatorOwns(Address p, size_t bytes) { return current && inside(p, bytes, current); }
API vaeEmulatorIsPrimary() { return current == (void*)PrimaryHandle; }
void vaeEmulatorWait(void* stream, std::function<bool()> done) { stream_of(stream)->waiting.push_back(std::move(done)); }

// ---- devices and contexts

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
    const bool hopper = compute >= 90;
    switch (attribute) {
    case 1: case 2: case 3: *value = 1024; break;               // threads of a block; along x, y
    case 4: *value = 64; break;                                 // along z
    case 5: *value = 0x7fffffff; break;                         // blocks of a grid along x
    case 6: case 7: *value = 65535; break;                      // along y, z
    case 8: *value = SharedWithoutAsking; break;                // shared memory of a block
    case 9: case 12: case 82: *value = 65536; break;            // constant memory; registers of a block, of a multiprocessor
    case 10: *value = 32; break;                                // warp size
    case 11: *value = 0x7fffffff; break;                        // pitch
    case 13: *value = hopper ? 1980000 : 1410000; break;        // clock, kHz
    case 16: *value = hopper ? 132 : 108; break;                // multiprocessors
    case 36: *value = hopper ? 3201000 : 1215000; break;        // memory clock, kHz
    case 37: *value = hopper ? 6144 : 5120; break;              // memory bus, bits
    case 38: *value = (hopper ? 50 : 40) << 20; break;          // L2 bytes
    case 39: *value = 2048; break;                              // threads of a multiprocessor
    case 75: *value = compute / 10; break;
    case 76: *value = compute % 10; break;
    case 81: *value = most_shared_of_block() + 1024; break;     // shared memory of a multiprocessor
    case 97: *value = most_shared_of_block(); break;            // shared memory a block may opt in to
    case 31: case 40: case 41: *value = 1; break;               // concurrent kernels, copies beside them, unified addresses
    default: *value = 0; break;
    }
    return Success;
}
API cuCtxCreate_v2(void** context, unsigned, int) { *context = current = (void*)ContextHandle; record("cuCtxCreate_v2"); return Success; }
API cuCtxDestroy_v2(void*) { current = nullptr; record("cuCtxDestroy_v2"); return Success; }
API cuCtxSetCurrent(void* context) { current = context; record("cuCtxSetCurrent %d", context != nullptr); return Success; }
API cuCtxGetCurrent(void** context) { *context = current; return Success; }
API cuCtxPushCurrent_v2(void* context)
{
    below.push_back(current);
    current = context;
    record("cuCtxPushCurrent_v2 %s", context == (void*)PrimaryHandle ? "primary" : "own");
    return Success;
}
API cuCtxPopCurrent_v2(void** context)
{
    if (below.empty())
        return refuse(__func__, InvalidContext);
    *context = current;
    current = below.back();
    below.pop_back();
    record("cuCtxPopCurrent_v2");
    return Success;
}
API cuCtxGetDevice(int* device)
{
    NEEDS_CONTEXT
    *device = 0;
    return Success;
}
API cuDevicePrimaryCtxRetain(void** context, int)
{
    *context = (void*)PrimaryHandle;
    record("cuDevicePrimaryCtxRetain");
    return Success;
}
API cuDevicePrimaryCtxRelease_v2(int) { record("cuDevicePrimaryCtxRelease_v2"); return Success; }
API cuCtxGetCacheConfig(int* value) { *value = 0; return Success; }
API cuCtxGetSharedMemConfig(int* value) { *value = 1; return Success; }

// ---- memory

API cuMemAlloc_v2(Address* address, size_t bytes)
{
    UNSAFE_IN_CAPTURE
    if (!bytes)
        return refuse(__func__, InvalidValue);
    std::lock_guard<std::mutex> hold(lock);
    if (used + bytes > capacity)
        return refuse(__func__, OutOfMemory);
    const size_t aligned = (bytes + 255) & ~(size_t)255, mapped = ((aligned + Page - 1) & ~(Page - 1)) + Page;
    char* base = (char*)mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return refuse(__func__, OutOfMemory);
    mprotect(base + mapped - Page, Page, PROT_NONE);
    memset(base, 0xff, mapped - Page);
    *address = (Address)(base + mapped - Page - aligned);
    memory[*address] = {base, mapped, bytes, current};
    used += bytes;
    record("cuMemAlloc_v2 %zu", bytes);
    return Success;
}
API cuMemFree_v2(Address address)
{
    UNSAFE_IN_CAPTURE
    std::lock_guard<std::mutex> hold(lock);
    const auto found = memory.find(address);
    if (found == memory.end())
        return refuse(__func__, InvalidValue);
    record("cuMemFree_v2 %zu", found->second.bytes);
    used -= found->second.bytes;
    munmap(found->second.base, found->second.mapped);
    memory.erase(found);
    return Success;
}
API cuMemcpyAsync(Address to, Address from, size_t bytes, void* stream)
{
    return move(__func__, bytes, stream, true, [=] { memmove((void*)to, (const void*)from, bytes); });
}
API cuMemcpyPeerAsync(Address to, void* toContext, Address from, void* fromContext, size_t bytes, void* stream)
{
    const bool there = toContext && fromContext && inside(to, bytes, toContext) && inside(from, bytes, fromContext);
    return move(__func__, bytes, stream, there, [=] { memcpy((void*)to, (const void*)from, bytes); });
}
API cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t bytes, void* stream)
{
    return move(__func__, bytes, stream, inside(to, bytes), [=] { memcpy((void*)to, from, bytes); });
}
API cuMemcpyDtoHAsync_v2(void* to, Address from, size_t bytes, void* stream)
{
    return move(__func__, bytes, stream, inside(from, bytes), [=] { memcpy(to, (const void*)from, bytes); });
}
API cuMemsetD8Async(Address to, unsigned char value, size_t bytes, void* stream)
{
    return move(__func__, bytes, stream, inside(to, bytes), [=] { memset((void*)to, value, bytes); });
}
API cuMemsetD32Async(Address to, unsigned value, size_t words, void* stream)
{
    return move(__func__, 4 * words, stream, inside(to, 4 * words), [=] { std::fill_n((unsigned*)to, words, value); });
}

// ---- streams, graphs, events

API cuStreamCreate(void** stream, unsigned flags)
{
    UNSAFE_IN_CAPTURE
    Stream* const s = new Stream;
    s->number = ++streams;
    *stream = s;
    record("cuStreamCreate flags %u -> %d", flags, s->number);
    return Success;
}
API cuStreamDestroy_v2(void* stream) { delete (Stream*)stream; return Success; }
API cuStreamSynchronize(void* stream)
{
    NEEDS_CONTEXT
    if (waits_for_capture(stream_of(stream)))
        return refuse_in_capture(__func__);
    record("cuStreamSynchronize %d", stream_of(stream)->number);
    return sticky;
}
API cuStreamQuery(void* stream)
{
    NEEDS_CONTEXT
    auto& waiting = stream_of(stream)->waiting;
    while (!waiting.empty() && waiting.front()())
        waiting.pop_front();
    return waiting.empty() ? (int)sticky : NotReady;
}
API cuStreamBeginCapture_v2(void* stream, int mode)
{
    NEEDS_CONTEXT
    if (!stream || capturing)
        return refuse(__func__, CaptureUnsupported);
    record("cuStreamBeginCapture_v2 %d mode %d", stream_of(stream)->number, mode);
    captureMode = mode;
    captureThread = std::this_thread::get_id();
    captureSpoilt = false;
    stream_of(stream)->capture = std::make_unique<Graph>();
    capturing = stream_of(stream);
    return Success;
}
API cuStreamEndCapture(void* stream, void** graph)
{
    NEEDS_CONTEXT
    *graph = nullptr;
    if (!stream || capturing != stream)
        return refuse(__func__, InvalidValue);
    auto captured = std::move(stream_of(stream)->capture);
    capturing = nullptr;
    if (captureSpoilt)
        return refuse(__func__, CaptureInvalidated);
    record("cuStreamEndCapture %d nodes %zu", stream_of(stream)->number, captured->nodes.size());
    *graph = captured.release();
    return Success;
}
API cuGraphGetNodes(void* graph, void**, size_t* count) { *count = ((Graph*)graph)->nodes.size(); return Success; }
API cuGraphInstantiateWithFlags(void** instance, void* graph, unsigned long long)
{
    UNSAFE_IN_CAPTURE
    *instance = new Graph(*(Graph*)graph);
    record("cuGraphInstantiateWithFlags nodes %zu", ((Graph*)graph)->nodes.size());
    return Success;
}
API cuGraphLaunch(void* instance, void* stream)
{
    const Graph* graph = (const Graph*)instance;
    record("cuGraphLaunch nodes %zu stream %d", graph->nodes.size(), stream_of(stream)->number);
    return enqueue(__func__, stream, [graph] {
        int result = Success;
        for (size_t i = 0; i < graph->nodes.size() && !result; i++)
            result = graph->nodes[i]();
        return result;
    });
}
API cuGraphExecDestroy(void* instance)
{
    NEEDS_CONTEXT
    delete (Graph*)instance;
    record("cuGraphExecDestroy");
    return Success;
}
API cuGraphDestroy(void* graph) { delete (Graph*)graph; return Success; }
API cuEventCreate(void** event, unsigned)
{
    NEEDS_CONTEXT
    *event = new Event;
    return Success;
}
API cuEventRecord(void* event, void* stream)
{
    record("cuEventRecord stream %d", stream_of(stream)->number);
    return enqueue(__func__, stream, [event = (Event*)event] { *event = {std::chrono::steady_clock::now(), true}; return 0; });
}
API cuEventQuery(void*) { return sticky; }
API cuEventSynchronize(void*)
{
    UNSAFE_IN_CAPTURE
    return sticky;
}
API cuEventElapsedTime(float* milliseconds, void* from, void* to)
{
    if (!((Event*)from)->recorded || !((Event*)to)->recorded)
        return refuse(__func__, InvalidHandle);
    *milliseconds = std::chrono::duration<float, std::milli>(((Event*)to)->at - ((Event*)from)->at).count();
    return Success;
}
API cuEventDestroy_v2(void* event) { delete (Event*)event; return Success; }

// ---- errors

static const struct { int error; const char *name, *text; } errors[] = {
    {Success, "CUDA_SUCCESS", "no error"},
    {InvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {InvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {InvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {InvalidPtx, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {InvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NotFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {LaunchFailed, "CUDA_ERROR_LAUNCH_FAILED", nullptr},
    {NotSupported, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {CaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
    {CaptureInvalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"},
};

API cuGetErrorName(int error, const char** name)
{
    *name = nullptr;
    for (const auto& e : errors)
        if (e.error == error)
            *name = e.name;
    return *name ? Success : InvalidValue;
}
API cuGetErrorString(int error, const char** text)
{
    *text = nullptr;
    for (const auto& e : errors)
        if (e.error == error)
            *text = error == LaunchFailed ? emulator::last_error().c_str() : e.text;
    return *text ? Success : InvalidValue;
}

// ---- modules and launches

API cuModuleLoadDataEx(void** module, const char* image, unsigned count, const int* options, void** values)
{
    UNSAFE_IN_CAPTURE
    const int ErrorLog = 5, ErrorLogBytes = 6;
    const std::string ptx = image;
    auto loaded = std::make_unique<Module>();
    const auto shared = shared_variables(ptx);
    for (size_t at = 0; (at = ptx.find(".entry ", at)) != std::string::npos;) {
        at += 7;
        Function f = read_entry(ptx, at, shared);
        loaded->functions[f.name] = f;
    }
    const std::string log = complaints(ptx, *loaded);
    for (unsigned i = 0; i < count; i++)
        for (unsigned j = 0; options[i] == ErrorLog && j < count; j++)
            if (options[j] == ErrorLogBytes)
                snprintf((char*)values[i], (size_t)values[j], "%s", log.c_str());
    if (!log.empty())
        return refuse(__func__, InvalidPtx);
    record("cuModuleLoadDataEx %zu bytes %zu entries", ptx.size(), loaded->functions.size());
    *module = loaded.release();
    return Success;
}
API cuModuleUnload(void* module)
{
    UNSAFE_IN_CAPTURE
    record("cuModuleUnload");
    delete (Module*)module;
    return Success;
}
API cuModuleGetFunction(void** function, void* module, const char* name)
{
    NEEDS_CONTEXT
    auto& functions = ((Module*)module)->functions;
    const auto found = functions.find(name);
    if (found == functions.end())
        return refuse(__func__, NotFound);
    record("cuModuleGetFunction %s", name);
    *function = &found->second;
    return Success;
}
API cuFuncSetAttribute(void* function, int attribute, int value)
{
    NEEDS_CONTEXT
    const int MostDynamicShared = 8;
    Function& f = *(Function*)function;
    if (attribute != MostDynamicShared)
        return Success;
    record("cuFuncSetAttribute %s %d = %d", f.name.c_str(), attribute, value);
    if (value < 0 || f.staticShared + value > most_shared_of_block())
        return refuse(__func__, InvalidValue);
    f.mostDynamicShared = value;
    return Success;
}
API cuOccupancyMaxPotentialBlockSize(int* grid, int* block, void* function, void*, size_t, int)
{
    *block = std::min(256u, ((const Function*)function)->mostThreads);
    *grid = 264;
    return Success;
}
API cuLaunchKernel(void* function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, unsigned blockZ,
    unsigned shared, void* stream, void** parameters, void** extra)
{
    NEEDS_CONTEXT
    const Function f = *(const Function*)function;
    const unsigned long threads = (unsigned long)blockX * blockY * blockZ;
    const bool goodGrid = gridX && gridY && gridZ && gridX <= 0x7fffffffu && gridY <= 65535 && gridZ <= 65535;
    const bool goodBlock = threads && blockX <= 1024 && blockY <= 1024 && blockZ <= 64 && threads <= f.mostThreads;
    if (!goodGrid || !goodBlock || shared > f.mostDynamicShared || (f.kernel && threads != blockX))
        return refuse(__func__, InvalidValue);
    auto values = arguments_of(f, parameters, extra);
    if (values.empty())
        return refuse(__func__, InvalidValue);
    record("cuLaunchKernel %s grid %u %u %u block %u %u %u shared %u stream %d%s", f.name.c_str(), gridX, gridY, gridZ,
        blockX, blockY, blockZ, shared, stream_of(stream)->number, stream_of(stream)->capture ? " captured" : "");
    const dim3 grid = {gridX, gridY, gridZ};
    return enqueue(__func__, stream, [=, values = std::move(values)] { return run(f, grid, threads, shared, values); });
}
