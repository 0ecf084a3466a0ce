// Native checks of the kernels on the emulator, without .NET, so that sanitizers can be built in:
//   checks run         every case in every thread order, on one and on two OS threads: the same bits each time
//   checks mistakes    deliberately wrong kernels are reported
//   checks mutation N  the Nth __syncthreads is taken out: other bits in some order, a broken rule, or (in a ThreadSanitizer build) a race;
//                      3 when there are not so many
#include "product.cuh"
#include "scheduler.h"
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <sys/time.h>
#include <unistd.h>
#include <vector>

using emulator::Order;

#if defined(VAE_THREAD_SANITIZER)
static std::atomic<long> races;
extern "C" void __tsan_on_report(void*) { races++; }
extern "C" const char* __tsan_default_options() { return "report_thread_leaks=0:exitcode=0:log_path=/dev/null:symbolize=0"; }
static long race_count() { return races; }
#else
static long race_count() { return 0; }
#endif

namespace {

typedef unsigned long long Hash;

// What went wrong in the case at hand; empty when nothing did.
std::string broken;

Divider divider(unsigned d)
{
    if (d == 1)
        return {1, 0, 0};
    const unsigned bits = 32 - __builtin_clz(d - 1);
    return {d, (unsigned)((1ull << (31 + bits)) / d + 1), bits - 1};
}

// Device memory, 64-byte aligned; sanitizers watch its ends.
struct Buffer {
    std::shared_ptr<float> memory;
    size_t n;
    explicit Buffer(size_t n) : memory((float*)aligned_alloc(64, (n * 4 + 63) & ~(size_t)63), free), n(n)
    {
        for (size_t i = 0; i < n; i++)
            memory.get()[i] = (float)((i * 2654435761u >> 8) & 0xffff) / 32768.0f - 1.0f;
    }
    float* p() const { return memory.get(); }
};

Buffer zeros(size_t n)
{
    Buffer b(n);
    memset(b.p(), 0, n * 4);
    return b;
}

Hash hash_of(std::initializer_list<Buffer> outputs)
{
    Hash h = 1469598103934665603ull;
    for (const Buffer& b : outputs)
        for (size_t i = 0; i < b.n * 4; i++)
            h = (h ^ ((const unsigned char*)b.p())[i]) * 1099511628211ull;
    return h;
}

template<class... A> bool launch(const std::string& name, dim3 grid, unsigned threads, size_t shared, A... arguments)
{
    emulator::Kernel* kernel = emulator::find(name.c_str());
    const size_t sizes[] = {sizeof(A)...};
    bool same = kernel && kernel->parameters == (int)sizeof...(A);
    for (int i = 0; same && i < kernel->parameters; i++)
        same = sizes[i] == kernel->size[i];
    if (!same) {
        fprintf(stderr, "checks: %s has other parameters than this file thinks\n", name.c_str());
        exit(2);
    }
    void* pointers[] = {(void*)&arguments...};
    if (emulator::launch(kernel, grid, threads, shared, pointers))
        return true;
    if (broken.empty())
        broken = emulator::last_error();
    return false;
}

// A product or convolution: `sharing` blocks to each of `tiles` tiles, in groups of two.
struct Task {
    const char* name;
    unsigned rows, columns, tiles, classes, k, sharing;

    bool is_bf16() const { return strstr(name, "bf16"); }
    unsigned threads() const { return rows * columns / (columns == 128 ? 64 : 32); }
    unsigned steps() const { return (k + (is_bf16() ? 63 : 15)) / (is_bf16() ? 64 : 16); }
    // As much as any layout of the operands needs.
    size_t shared() const
    {
        const size_t stages = is_bf16() ? 2 * 128 * (rows + columns) : 3 * 4 * 20 * (rows + columns), tile = 4 * rows * columns;
        return stages > tile ? stages : tile;
    }

    template<class Shape> Hash run(const Buffer& a, const Buffer& b, const Buffer& c, unsigned n, const Shape& shape) const
    {
        constexpr unsigned Group = 2;
        const unsigned groups = (sharing + Group - 1) / Group;
        const size_t shares = (size_t)tiles * classes * (sharing + groups);
        Buffer bias(n), mask(c.n), partial(shares * rows * columns), tickets = zeros(tiles * classes * (groups + 1));
        Epilogue e = {};
        e.c = c.p(), e.bias = bias.p(), e.relu_mask = mask.p(), e.partial = partial.p(), e.tickets = (unsigned*)tickets.p();
        e.steps = (steps() + sharing - 1) / sharing, e.group = Group, e.relu = 1, e.vectors = n % 4 == 0;
        launch(name, {tiles, sharing, classes}, threads(), shared(), (const float*)a.p(), (const float*)b.p(), shape, e);
        return hash_of({c, tickets});
    }
};

Hash matmul(const char* name, unsigned m, unsigned n, unsigned k, unsigned tile, unsigned sharing)
{
    const Task task = {name, tile, tile, (m + tile - 1) / tile * ((n + tile - 1) / tile), 1, k, sharing};
    return task.run(Buffer(m * k), Buffer(k * n), zeros(m * n), n, ProductShape{m, n, k});
}

// direction: 0 forward, 1 backward data, 2 backward weight.
Hash convolution(const char* name, int direction, unsigned in, unsigned out, unsigned columns, unsigned sharing)
{
    const ConvGeometry g = {3, 9, 10, in, out, 4, 4, 2, 1, 4, 5, divider(direction == 1 ? out : in), divider(5), divider(4)};
    const Buffer x(3 * 9 * 10 * in), w(16 * in * out), y(3 * 4 * 5 * out);
    const unsigned rows = direction == 0 ? 60 : direction == 1 ? 3 * 5 * 5 : 16 * in, n = direction == 1 ? in : out;
    const unsigned k = direction == 0 ? 16 * in : direction == 1 ? 4 * out : 60, tiles = (rows + 127) / 128 * ((n + columns - 1) / columns);
    const Task task = {name, 128, columns, tiles, direction == 1 ? 4u : 1u, k, sharing};
    return direction == 0 ? task.run(x, w, zeros(y.n), n, g)
        : direction == 1 ? task.run(y, w, zeros(x.n), n, g)
        : task.run(x, y, zeros(w.n), n, g);
}

struct Case {
    const char* name;
    std::function<Hash()> run;
};

const std::vector<Case> cases = {
    {"matmul tf32", [] {
        return matmul("matmul_nn_64x64_v4_tf32", 70, 68, 100, 64, 1) ^ matmul("matmul_nt_128x128_v4_tf32", 130, 36, 52, 128, 1)
            ^ matmul("matmul_tn_64x64_v1_tf32", 33, 35, 130, 64, 3) ^ matmul("matmul_tt_64x64_v1_tf32", 33, 35, 130, 64, 2);
    }},
    {"matmul bf16", [] {
        return matmul("matmul_nn_64x64_v4_bf16", 70, 68, 100, 64, 1) ^ matmul("matmul_nt_128x128_v4_bf16", 130, 36, 52, 128, 1)
            ^ matmul("matmul_tn_64x64_v4_bf16", 36, 68, 300, 64, 3) ^ matmul("matmul_tt_64x64_v1_bf16", 33, 35, 130, 64, 2);
    }},
    {"conv tf32", [] {
        return convolution("conv_forward_128x32_v4_tf32", 0, 4, 8, 32, 1) ^ convolution("conv_backward_data_128x32_v1_tf32", 1, 3, 5, 32, 1)
            ^ convolution("conv_backward_weight_128x64_v4_tf32", 2, 4, 8, 64, 2);
    }},
    {"conv bf16", [] {
        return convolution("conv_forward_128x64_v4_bf16", 0, 4, 8, 64, 1) ^ convolution("conv_backward_data_128x32_v4_bf16", 1, 4, 8, 32, 1)
            ^ convolution("conv_backward_weight_128x32_v1_bf16", 2, 3, 5, 32, 1);
    }},
};

const char* wrong(Hash found, Hash expected, long races_before)
{
    return !broken.empty() ? broken.c_str() : found != expected ? "other bits" : race_count() != races_before ? "a race" : nullptr;
}

const char* name_of(Order order) { return order == Order::Forward ? "forward" : order == Order::Reverse ? "reverse" : "random"; }

int run()
{
    int failures = 0;
    for (const Case& c : cases) {
        Hash expected = 0;
        bool first = true, good = true;
        for (int threads : {1, 2})
            for (Order order : {Order::Forward, Order::Reverse, Order::Random}) {
                emulator::configure(order, threads, 1);
                broken.clear();
                const long races_before = race_count();
                const Hash h = c.run();
                if (first)
                    expected = h;
                first = false;
                if (const char* what = wrong(h, expected, races_before)) {
                    printf("FAIL  %s, %s order, %d threads: %s\n", c.name, name_of(order), threads, what);
                    good = false;
                }
            }
        if (good)
            printf("ok    %s\n", c.name);
        failures += !good;
    }
    return failures;
}

int mistakes()
{
    int failures = 0;
    emulator::configure(Order::Forward, 1, 1);
    const std::map<const char*, std::vector<const char*>> expected = {{"divergent_barriers", {"divergent __syncthreads"}},
        {"returns_before_barrier", {"after some threads returned", "returned while others wait"}},
        {"multiplies_without_some_lanes", {"without lanes"}}, {"stores_to_a_misaligned_address", {"no multiple"}},
        {"waits_for_ever", {"deadlock", "divergent"}}, {"copies_from_a_misaligned_address", {"no multiple"}}};
    for (const auto& [kernel, messages] : expected) {
        Buffer out = zeros(64);
        broken.clear();
        bool noticed = false;
        if (!launch(kernel, {1, 1, 1}, 64, 1024, out.p()))
            for (const char* message : messages)
                noticed |= broken.find(message) != std::string::npos;
        printf("%s  %s: %s\n", noticed ? "ok   " : "FAIL ", kernel, broken.c_str());
        failures += !noticed;
    }
    Buffer out = zeros(64);
    launch("forgets_to_wait", {1, 1, 1}, 64, 1024, out.p());
    const bool poisoned = out.p()[3] != out.p()[3];
    printf("%s  forgets_to_wait: reads %f\n", poisoned ? "ok   " : "FAIL ", out.p()[3]);
    return failures + !poisoned;
}

typedef std::pair<std::string, int> Place;

template<class F> void for_each_site(const Place* at, F f)
{
    for (emulator::Site* s = emulator::sites(); s; s = s->next)
        if (!at || (s->line == at->second && at->first == s->file))
            f(*s);
}

int mutation(size_t index)
{
    std::vector<Hash> expected;
    std::map<Place, std::vector<size_t>> cases_at;
    emulator::configure(Order::Forward, 2, 1);
    for (size_t i = 0; i < cases.size(); i++) {
        for_each_site(nullptr, [](emulator::Site& s) { s.visited = false; });
        expected.push_back(cases[i].run());
        for_each_site(nullptr, [&](emulator::Site& s) {
            auto& at = cases_at[{s.file, s.line}];
            if (s.visited && (at.empty() || at.back() != i))
                at.push_back(i);
        });
    }
    if (index >= cases_at.size())
        return 3;
    const auto& [place, touched] = *std::next(cases_at.begin(), index);
    const size_t slash = place.first.rfind('/');
    printf("without %s:%d: ", place.first.c_str() + (slash == std::string::npos ? 0 : slash + 1), place.second);
    fflush(stdout);
    for_each_site(&place, [](emulator::Site& s) { s.removed = true; });
    // A loop whose end depends on the barrier may have none without it.
    const itimerval patience = {{0, 0}, {20, 0}};
    signal(SIGPROF, [](int) {
        static const char words[] = "no end\n";
        _exit(write(1, words, sizeof words - 1) > 0 ? 0 : 2);
    });
    setitimer(ITIMER_PROF, &patience, nullptr);
    for (Order order : {Order::Forward, Order::Reverse, Order::Random}) {
        emulator::configure(order, 2, 1);
        for (size_t i : touched) {
            broken.clear();
            const long races_before = race_count();
            if (const char* what = wrong(cases[i].run(), expected[i], races_before)) {
                printf("%s in %s, %s order\n", what, cases[i].name, name_of(order));
                return 0;
            }
        }
    }
    printf("the same bits in every order\n");
    return 1;
}
}  // namespace

int main(int count, char** arguments)
{
    setvbuf(stdout, nullptr, _IOLBF, 0);
    const std::string what = count > 1 ? arguments[1] : "";
    if (what == "run")
        return run() != 0;
    if (what == "mistakes")
        return mistakes() != 0;
    if (what == "mutation" && count > 2)
        return mutation(strtoul(arguments[2], nullptr, 10));
    fprintf(stderr, "usage: checks run | mistakes | mutation N\n");
    return 2;
}
