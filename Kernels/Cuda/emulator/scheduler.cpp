#include "scheduler.h"
#include "copy_engine.h"
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <sys/mman.h>
#include <thread>
#include <vector>

#if !defined(__x86_64__)
#error "the fiber switch below is written for x86-64"
#endif

#if defined(VAE_THREAD_SANITIZER)
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* tag);
void __tsan_release(void* tag);
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
// What the copy engine's books need of memory is not the kernel's doing.
struct Unseen {
    Unseen() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__), AnnotateIgnoreWritesBegin(__FILE__, __LINE__); }
    ~Unseen() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__), AnnotateIgnoreWritesEnd(__FILE__, __LINE__); }
};
#define RELEASE(tag) __tsan_release(tag)
#define ACQUIRE(tag) __tsan_acquire(tag)
#else
struct Unseen {
    Unseen() {}  // not trivial: an object that is not used is no mistake
};
#define RELEASE(tag) (void)(tag)
#define ACQUIRE(tag) (void)(tag)
#endif

// Saves the callee-saved registers on the old stack and restores them from the new one.
extern "C" void emulator_switch(void** save, void* load);
asm(R"(
.text
.globl emulator_switch
.hidden emulator_switch
.type emulator_switch,@function
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp,(%rdi)
    movq %rsi,%rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    retq
.size emulator_switch,.-emulator_switch
)");

namespace emulator {

thread_local Thread* current;

namespace {

constexpr size_t StackBytes = 64 << 10;
constexpr unsigned Poison = 0x7fc0dead;  // a NaN

enum class State { Ready, AtBarrier, InWarpOperation, AtPhase, Done };

struct Fiber : Thread {
    void* stackPointer;
    char* stack;
    State state;
    const char* file;
    int line;
    void* sanitizerFiber;
    std::vector<Copy> copies;
    std::vector<int> groups;
    const Mbarrier* phaseOf;                     // the mbarrier it waits at
    std::map<const Mbarrier*, unsigned> phases;  // of each mbarrier, that it has waited for
};

struct Warp {
    unsigned live, arrived;
    const char* file;
    int line;
    unsigned slot[2][32][8];
    char tag[2];
};

std::string place(const char* file, int line)
{
    const char* name = strrchr(file, '/');
    return std::string(name ? name + 1 : file) + ":" + std::to_string(line);
}

// Everything one OS thread needs to run a block.
struct Worker {
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    std::vector<int> ready;
    void* schedulerStack = nullptr;
    void* schedulerFiber = nullptr;
    int threads = 0, live = 0, arrived = 0, running = 0;
    Order order = Order::Forward;
    unsigned random = 1, barriers = 0;
    const char* barrierFile = nullptr;
    int barrierLine = 0;
    char barrierTag[2], startTag, endTag;
    char* shared = nullptr;
    size_t sharedBytes = 0;
    Kernel* kernel = nullptr;
    void** arguments = nullptr;
    bool overlaps = false;
    CopyEngine engine;
    char phaseTag;
    std::string error;

    void fail(const std::string& what)
    {
        if (error.empty())
            error = what;
    }

    void complain(const std::string& wrong, const char* at, int line)
    {
        if (!wrong.empty())
            fail(wrong + ", " + place(at, line));
    }

    unsigned draw()
    {
        random = random * 1664525u + 1013904223u;
        return random >> 8;
    }

    void leave()
    {
#if defined(VAE_THREAD_SANITIZER)
        __tsan_switch_to_fiber(schedulerFiber, 1);
#endif
        emulator_switch(&fibers[running].stackPointer, schedulerStack);
    }

    void make_ready(int i)
    {
        fibers[i].state = State::Ready;
        ready.push_back(i);
    }

    // Threads of the block in the order in which they are to be made ready.
    int in_order(int i) const { return order == Order::Reverse ? i : threads - 1 - i; }

    void release_waiting()
    {
        for (int i = 0; i < threads; i++) {
            const Fiber& fiber = fibers[in_order(i)];
            if (fiber.state == State::AtPhase)
                for (const Mbarrier* barrier : engine.finished)
                    if (fiber.phaseOf == barrier) {
                        make_ready(in_order(i));
                        break;
                    }
        }
        engine.finished.clear();
    }

    // The copies of the copy engine that land at the last moment do so when no thread can go on: one of them; false when there is none.
    bool land_a_copy()
    {
        if (live == 0 || !engine.has_copies())
            return false;
        const Unseen unseen;
        const std::string at = place(engine.file_of_next(), engine.line_of_next()), wrong = engine.land_next();
        if (!wrong.empty())
            fail(wrong + ", " + at);
        release_waiting();
        return true;
    }
};

thread_local Worker* worker;
Kernel* kernels;
Site* allSites;
std::mutex siteLock;
Order chosenOrder;
int chosenThreads;
unsigned chosenSeed;
std::string failure;
std::vector<Worker*> idle;
std::mutex idleLock;

// A fiber may go on on another OS thread in the next launch: the address of a thread-local may not stay in a register across a switch.
__attribute__((noinline)) Worker* my_worker()
{
    asm volatile("" ::: "memory");
    return worker;
}

void fiber_main()
{
    for (;;) {
        Worker* w = my_worker();
        Fiber& fiber = w->fibers[w->running];
        ACQUIRE(&w->startTag);
        w->kernel->call(w->kernel->function, w->arguments);
        fiber.state = State::Done;
        w->live--;
        w->warps[fiber.warp].live &= ~(1u << fiber.lane);
        RELEASE(&w->endTag);
        if (w->overlaps && !fiber.waited)
            w->fail("thread " + std::to_string(fiber.index.x) + " did not wait for the kernels before it, with which the launch overlaps (AFTER_EARLIER_KERNELS)");
        if (!fiber.products.empty())
            w->fail("thread " + std::to_string(fiber.index.x) + " returned without waiting for its wgmma");
        if (!fiber.stores.empty())
            w->fail("thread " + std::to_string(fiber.index.x) + " returned without fencing what it stored for wgmma");
        if (w->arrived)
            w->fail("thread " + std::to_string(fiber.index.x) + " returned while others wait at __syncthreads, " + place(w->barrierFile, w->barrierLine));
        w->leave();
    }
}

void prepare_fiber(Fiber& fiber)
{
    fiber.stack = (char*)mmap(nullptr, StackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    fiber.state = State::Done;
    fiber.exchanges = 0;
    fiber.sanitizerFiber = nullptr;
    // What emulator_switch pops: six registers, then the address to return to; 8 bytes off a multiple of 16, as after a call.
    void** top = (void**)(fiber.stack + StackBytes - 72);
    top[0] = nullptr;
    top[-1] = (void*)fiber_main;
    for (int i = 2; i <= 7; i++)
        top[-i] = nullptr;
    fiber.stackPointer = top - 7;
}

void set_up_block(Worker* w, uint3 block, dim3 grid, dim3 size, size_t sharedBytes)
{
    const int n = size.x * size.y * size.z, warps = (n + 31) / 32;
    w->threads = w->live = n;
    w->arrived = 0;
    w->ready.clear();
    if ((int)w->fibers.size() < n) {
        const size_t old = w->fibers.size();
        w->fibers.resize(n);
        w->warps.resize(warps);
        for (size_t i = old; i < (size_t)n; i++)
            prepare_fiber(w->fibers[i]);
    }
    if (w->sharedBytes != sharedBytes) {
        free(w->shared);
        w->sharedBytes = sharedBytes;
        w->shared = sharedBytes ? (char*)aligned_alloc(128, (sharedBytes + 127) & ~(size_t)127) : nullptr;
    }
    for (size_t i = 0; i < sharedBytes / 4; i++)
        ((unsigned*)w->shared)[i] = Poison;
    {
        const Unseen unseen;
        w->engine.start_block(w->shared, sharedBytes);
    }
    for (int i = 0; i < n; i++) {
        Fiber& fiber = w->fibers[i];
        fiber.index = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
        fiber.block = block;
        fiber.blockSize = {size.x, size.y, size.z};
        fiber.gridSize = {grid.x, grid.y, grid.z};
        fiber.lane = i & 31;
        fiber.warp = i >> 5;
        fiber.waited = false;
        fiber.state = State::Ready;
        fiber.copies.clear();
        fiber.groups.clear();
        fiber.stores.clear();
        fiber.products.clear();
        fiber.productGroups.clear();
        fiber.mayMultiply = false;
        {
            const Unseen unseen;
            fiber.phases.clear();
        }
        // Taken from the back.
        w->ready.push_back(w->order == Order::Reverse ? i : n - 1 - i);
    }
    for (int i = 0; i < warps; i++) {
        const int lanes = n - i * 32;
        w->warps[i].arrived = 0;
        w->warps[i].live = lanes >= 32 ? ~0u : (1u << lanes) - 1;
    }
}

void run_block(Worker* w, uint3 block, dim3 grid, dim3 size, size_t sharedBytes)
{
    set_up_block(w, block, grid, size, sharedBytes);
    RELEASE(&w->startTag);
    while (!w->ready.empty() || w->land_a_copy()) {
        if (w->ready.empty())
            continue;
        size_t at = w->ready.size() - 1;
        if (w->order == Order::Random)
            at = w->draw() % w->ready.size();
        const int i = w->ready[at];
        w->ready[at] = w->ready.back();
        w->ready.pop_back();
        w->running = i;
        current = &w->fibers[i];
#if defined(VAE_THREAD_SANITIZER)
        if (!w->fibers[i].sanitizerFiber)
            w->fibers[i].sanitizerFiber = __tsan_create_fiber(0);
        __tsan_switch_to_fiber(w->fibers[i].sanitizerFiber, 1);
#endif
        emulator_switch(&w->schedulerStack, w->fibers[i].stackPointer);
    }
    ACQUIRE(&w->endTag);
    if (!w->live) {
        if (w->engine.has_copies())
            w->fail("the block ended before a copy into its shared memory had landed, " + place(w->engine.file_of_next(), w->engine.line_of_next()));
        return;
    }
    for (int i = 0; i < w->threads; i++)
        if (const Fiber& fiber = w->fibers[i]; fiber.state != State::Done) {
            w->fail("deadlock: " + std::to_string(w->live) + " threads were never released; thread " + std::to_string(i) + " waits at " + place(fiber.file, fiber.line)
                + (fiber.state == State::AtPhase ? ": " + w->engine.missing(fiber.phaseOf) : ""));
            break;
        }
    // Unfinished fibers must never be resumed by the next launch.
    for (Fiber& fiber : w->fibers)
        munmap(fiber.stack, StackBytes);
    w->fibers.clear();
    w->warps.clear();
}

void list(Site& site)
{
    __atomic_store_n(&site.visited, true, __ATOMIC_RELAXED);
    if (__atomic_load_n(&site.listed, __ATOMIC_ACQUIRE))
        return;
    std::lock_guard<std::mutex> hold(siteLock);
    if (site.listed)
        return;
    site.next = allSites;
    allSites = &site;
    __atomic_store_n(&site.listed, true, __ATOMIC_RELEASE);
}
}  // namespace

void sync_block(Site& site)
{
    list(site);
    if (site.removed)
        return;
    Worker* w = my_worker();
    Fiber& fiber = w->fibers[w->running];
    if (w->arrived == 0) {
        w->barrierFile = site.file;
        w->barrierLine = site.line;
        if (w->live < w->threads)
            w->fail("__syncthreads after some threads returned, " + place(site.file, site.line));
    } else if (w->barrierLine != site.line || strcmp(w->barrierFile, site.file) != 0) {
        w->fail("divergent __syncthreads: " + place(w->barrierFile, w->barrierLine) + " and " + place(site.file, site.line));
    }
    char* tag = &w->barrierTag[w->barriers & 1];
    RELEASE(tag);
    fiber.state = State::AtBarrier;
    fiber.file = site.file;
    fiber.line = site.line;
    if (++w->arrived == w->live) {
        w->arrived = 0;
        w->barriers++;
        if (w->order == Order::Reverse) {
            for (int i = 0; i < w->threads; i++)
                if (w->fibers[i].state == State::AtBarrier)
                    w->make_ready(i);
        } else {
            for (int i = w->threads - 1; i >= 0; i--)
                if (w->fibers[i].state == State::AtBarrier)
                    w->make_ready(i);
        }
    }
    w->leave();
    ACQUIRE(tag);
}

const unsigned (*exchange(unsigned mask, const unsigned* words, int n, const char* file, int line))[8]
{
    Worker* w = my_worker();
    Fiber& fiber = w->fibers[w->running];
    Warp& warp = w->warps[fiber.warp];
    const int parity = fiber.exchanges++ & 1;
    if (!warp.arrived) {
        warp.file = file;
        warp.line = line;
    } else if (warp.line != line || strcmp(warp.file, file) != 0) {
        w->fail("divergent warp operations: " + place(warp.file, warp.line) + " and " + place(file, line));
    }
    if (mask & ~warp.live)
        w->fail("a warp operation's mask names lanes that have returned or never were, " + place(file, line));
    for (int i = 0; i < n; i++)
        warp.slot[parity][fiber.lane][i] = words[i];
    warp.arrived |= 1u << fiber.lane;
    fiber.state = State::InWarpOperation;
    fiber.file = file;
    fiber.line = line;
    if (warp.arrived == (mask & warp.live)) {
        warp.arrived = 0;
        const int base = fiber.warp * 32;
        for (int k = 0; k < 32; k++) {
            const int lane = w->order == Order::Reverse ? k : 31 - k, i = base + lane;
            if (i < w->threads && (mask >> lane & 1) && w->fibers[i].state == State::InWarpOperation)
                w->make_ready(i);
        }
    }
    w->leave();
    return warp.slot[parity];
}

void sync_warp(Site& site)
{
    list(site);
    if (site.removed)
        return;
    Worker* w = my_worker();
    Fiber& fiber = w->fibers[w->running];
    char* tag = &w->warps[fiber.warp].tag[fiber.exchanges & 1];
    RELEASE(tag);
    const unsigned nothing = 0;
    exchange(0xffffffffu, &nothing, 0, site.file, site.line);
    ACQUIRE(tag);
}

void* dynamic_shared() { return my_worker()->shared; }

size_t dynamic_shared_bytes() { return my_worker()->sharedBytes; }

void report(const char* what, const char* file, int line) { my_worker()->fail(what + (", " + place(file, line))); }

bool is_early() { return my_worker()->order == Order::Forward; }

void set_up_barrier(Mbarrier* barrier, unsigned arrivals, const char* file, int line)
{
    Worker* w = my_worker();
    const Unseen unseen;
    w->complain(w->engine.set_up(barrier, arrivals, w->running), file, line);
}

void fence_barriers()
{
    Worker* w = my_worker();
    const Unseen unseen;
    w->engine.make_visible(w->running);
}

void arrive_expecting(Mbarrier* barrier, unsigned bytes, const char* file, int line)
{
    Worker* w = my_worker();
    RELEASE(&w->phaseTag);
    const Unseen unseen;
    w->complain(w->engine.arrive(barrier, bytes), file, line);
    w->release_waiting();
}

void wait_for_phase(Mbarrier* barrier, unsigned parity, const char* file, int line)
{
    Worker* w = my_worker();
    Fiber& fiber = w->fibers[w->running];
    if (!w->engine.exists(barrier)) {
        w->fail("a wait at an mbarrier that has not been set up, " + place(file, line));
        return;
    }
    // A thread that comes so late that the next phase is over as well waits again, as on a device.
    while (!w->engine.has_finished(barrier, parity)) {
        fiber.state = State::AtPhase;
        fiber.phaseOf = barrier;
        fiber.file = file;
        fiber.line = line;
        w->leave();
    }
    ACQUIRE(&w->phaseTag);
    const Unseen unseen;
    fiber.phases[barrier] = w->engine.phase(barrier);
}

void start_tile_copy(void* to, const TensorMap& map, int column, int row, Mbarrier* barrier, const char* file, int line)
{
    Worker* w = my_worker();
    const Unseen unseen;
    const Range range = w->engine.range_of(to, map);
    for (int i = 0; i < w->threads; i++)
        for (const Product& product : w->fibers[i].products)
            if (product.rangeA.meets(range) || product.rangeB.meets(range)) {
                w->fail("a copy into a tile whose products thread " + std::to_string(i) + " has not waited for, " + place(file, line));
                return;
            }
    w->complain(w->engine.copy(to, map, column, row, barrier, w->order == Order::Forward || (w->order == Order::Random && w->draw() % 2 == 0), file, line), file, line);
    w->release_waiting();
}

void check_tiles(Range range, const char* file, int line)
{
    Worker* w = my_worker();
    const Fiber& fiber = w->fibers[w->running];
    const Unseen unseen;
    for (const CopyEngine::Tile& tile : w->engine.tiles) {
        if (!tile.range.meets(range))
            continue;
        const auto waited = fiber.phases.find(tile.barrier);
        if (waited == fiber.phases.end() || waited->second <= tile.phase)
            w->fail("a product of a tile whose copy thread " + std::to_string(fiber.index.x) + " has not waited for, " + place(file, line));
    }
}

void copy_push(Copy copy)
{
    Worker* w = my_worker();
    w->fibers[w->running].copies.push_back(copy);
}

void copy_commit()
{
    Worker* w = my_worker();
    Fiber& fiber = w->fibers[w->running];
    fiber.groups.push_back((int)fiber.copies.size());
}

// The copies happen here and not before: a kernel that forgets to wait reads poison.
void copy_wait(int pendingGroups)
{
    Worker* w = my_worker();
    Fiber& fiber = w->fibers[w->running];
    const int finished = (int)fiber.groups.size() - pendingGroups;
    if (finished <= 0)
        return;
    const int n = fiber.groups[finished - 1];
    for (int i = 0; i < n; i++)
        for (int k = 0; k < fiber.copies[i].floats; k++)
            fiber.copies[i].to[k] = fiber.copies[i].valid ? fiber.copies[i].from[k] : 0.0f;
    fiber.copies.erase(fiber.copies.begin(), fiber.copies.begin() + n);
    fiber.groups.erase(fiber.groups.begin(), fiber.groups.begin() + finished);
    for (int& group : fiber.groups)
        group -= n;
}

void add_kernel(Kernel* kernel)
{
    kernel->next = kernels;
    kernels = kernel;
}

Kernel* first_kernel() { return kernels; }

Kernel* find(const char* name)
{
    for (Kernel* k = kernels; k; k = k->next)
        if (!strcmp(k->name, name))
            return k;
    return nullptr;
}

void configure(Order order, int threads, unsigned seed)
{
    chosenOrder = order;
    chosenThreads = threads;
    chosenSeed = seed;
}

Order order() { return chosenOrder; }

unsigned seed() { return chosenSeed; }

const std::string& last_error() { return failure; }

Site* sites() { return allSites; }

void set_error(const std::string& what) { failure = what; }

bool launch(Kernel* kernel, dim3 grid, dim3 block, size_t dynamicShared, void** arguments, bool overlaps)
{
    const long blocks = (long)grid.x * grid.y * grid.z, threads = (long)block.x * block.y * block.z;
    failure.clear();
    if (!kernel || threads < 1 || threads > 1024 || blocks < 1 || grid.y > 65535 || grid.z > 65535) {
        failure = "a launch of " + std::to_string(blocks) + " blocks of " + std::to_string(threads) + " threads is not possible";
        return false;
    }
    std::atomic<long> next{0};
    std::atomic<bool> failed{false};
    std::mutex errorLock;
    const auto work = [&] {
        Worker* w = nullptr;
        {
            std::lock_guard<std::mutex> hold(idleLock);
            if (!idle.empty()) {
                w = idle.back();
                idle.pop_back();
            }
        }
        if (!w)
            w = new Worker;
        worker = w;
#if defined(VAE_THREAD_SANITIZER)
        w->schedulerFiber = __tsan_get_current_fiber();
#endif
        w->kernel = kernel;
        w->arguments = arguments;
        w->overlaps = overlaps;
        w->order = chosenOrder;
        w->random = 12345u + chosenSeed * 7919u;
        w->error.clear();
        for (long taken; !failed && (taken = next++) < blocks;) {
            const long i = chosenOrder == Order::Reverse ? blocks - 1 - taken : taken;
            run_block(w, {(unsigned)(i % grid.x), (unsigned)(i / grid.x % grid.y), (unsigned)(i / ((long)grid.x * grid.y))}, grid, block, dynamicShared);
            if (!w->error.empty()) {
                std::lock_guard<std::mutex> hold(errorLock);
                failure = std::string(kernel->name) + ": " + w->error;
                failed = true;
            }
        }
        std::lock_guard<std::mutex> hold(idleLock);
        idle.push_back(w);
    };
    long workers = chosenThreads > 0 ? chosenThreads : (long)std::thread::hardware_concurrency();
    if (workers > blocks)
        workers = blocks;
    if (workers <= 1) {
        work();
    } else {
        std::vector<std::thread> team;
        for (long i = 1; i < workers; i++)
            team.emplace_back(work);
        work();
        for (auto& member : team)
            member.join();
    }
    return !failed;
}
}  // namespace emulator
