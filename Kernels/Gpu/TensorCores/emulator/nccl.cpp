// A stand-in for libnccl.so.2 between threads of one process, in the same library as the driver's and its record: what it is given has to
// be the current context's, which has to be the device's primary one, as NCCL makes that current itself.
#include <cstdio>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))
typedef unsigned long long Address;
extern "C" int vaeEmulatorNote(const char*);
extern "C" int vaeEmulatorOwns(Address, size_t);
extern "C" int vaeEmulatorIsPrimary();
void vaeEmulatorWait(void* stream, std::function<bool()> done);

namespace {

enum Result { Success = 0, UnhandledCudaError = 1, InvalidArgument = 4, InvalidUsage = 5, RemoteError = 6 };
constexpr int Float = 7;
struct Id { char bytes[128]; };
struct Comm {
    std::string id;
    int rank, size;
};
struct Transfer {
    Comm* comm;
    bool sends;
    Address at;
    size_t bytes;
    int peer;
    void* stream;
};
typedef std::tuple<std::string, int, int> Way;  // of a communicator, from, to

std::mutex lock;
std::map<Way, std::deque<std::vector<char>>> messages;
std::string failing, lastError;
int failure, ids;
thread_local std::vector<Transfer> group;
thread_local int depth;

// Writes a call down, and gives its error where it is to fail.
int note(const std::string& call, const std::string& words = "")
{
    vaeEmulatorNote((call + words).c_str());
    std::lock_guard<std::mutex> hold(lock);
    if (failing != call)
        return Success;
    lastError = "the stand-in was told to";
    return failure;
}

int transfer(const char* call, Transfer t)
{
    const std::string way = " rank " + std::to_string(t.comm->rank) + (t.sends ? " to " : " from ") + std::to_string(t.peer);
    if (const int error = note(call, way + ", " + std::to_string(t.bytes) + " bytes"))
        return error;
    if (!depth)
        return InvalidUsage;
    if (!vaeEmulatorIsPrimary() || !vaeEmulatorOwns(t.at, t.bytes))
        return UnhandledCudaError;
    if (t.peer < 0 || t.peer >= t.comm->size)
        return InvalidArgument;
    group.push_back(t);
    return Success;
}
}  // namespace

// Makes a call fail with an error; for ncclCommGetAsyncError, what it finds. Null clears that.
API int vaeEmulatorFailNccl(const char* call, int error)
{
    std::lock_guard<std::mutex> hold(lock);
    failing = call ? call : "";
    failure = error;
    return Success;
}

API int ncclGetVersion(int* version) { *version = 22703; return Success; }
API const char* ncclGetErrorString(int error)
{
    return error == InvalidUsage ? "invalid usage" : error == RemoteError ? "remote process exited or there was a network error"
        : error ? "unhandled error" : "no error";
}
API const char* ncclGetLastError(void*) { return lastError.c_str(); }
API int ncclGetUniqueId(Id* id)
{
    memset(id, 0, sizeof *id);
    snprintf(id->bytes, sizeof id->bytes, "id %d", ++ids);
    // All 128 bytes have to arrive.
    id->bytes[127] = 42;
    return note("ncclGetUniqueId");
}
API int ncclCommInitRank(void** comm, int size, Id id, int rank)
{
    if (const int error = note("ncclCommInitRank", " rank " + std::to_string(rank) + " of " + std::to_string(size)))
        return error;
    if (id.bytes[127] != 42)
        return InvalidArgument;
    if (!vaeEmulatorIsPrimary())
        return UnhandledCudaError;
    *comm = new Comm{id.bytes, rank, size};
    return Success;
}
API int ncclGroupStart() { depth++; return note("ncclGroupStart"); }
API int ncclSend(const void* from, size_t count, int type, int peer, void* comm, void* stream)
{
    return type != Float ? InvalidArgument
        : transfer("ncclSend", {(Comm*)comm, true, (Address)from, count * sizeof(float), peer, stream});
}
API int ncclRecv(void* to, size_t count, int type, int peer, void* comm, void* stream)
{
    return type != Float ? InvalidArgument
        : transfer("ncclRecv", {(Comm*)comm, false, (Address)to, count * sizeof(float), peer, stream});
}
API int ncclGroupEnd()
{
    depth--;
    const auto transfers = std::move(group);
    group.clear();
    if (const int error = note("ncclGroupEnd"))
        return error;
    for (const Transfer& t : transfers) {
        const Way way = t.sends ? Way{t.comm->id, t.comm->rank, t.peer} : Way{t.comm->id, t.peer, t.comm->rank};
        vaeEmulatorWait(t.stream, [=] {
            std::lock_guard<std::mutex> hold(lock);
            auto& queue = messages[way];
            if (t.sends) {
                queue.emplace_back((const char*)t.at, (const char*)t.at + t.bytes);
                return true;
            }
            if (queue.empty() || queue.front().size() != t.bytes)
                return false;
            memcpy((void*)t.at, queue.front().data(), t.bytes);
            queue.pop_front();
            return true;
        });
    }
    return Success;
}
API int ncclCommGetAsyncError(void*, int* error)
{
    std::lock_guard<std::mutex> hold(lock);
    *error = failing == "ncclCommGetAsyncError" ? failure : (int)Success;
    return Success;
}
API int ncclCommAbort(void*) { return note("ncclCommAbort"); }
API int ncclCommDestroy(void* comm)
{
    delete (Comm*)comm;
    return note("ncclCommDestroy");
}
