using VaeFromScratch.Kernels;

namespace VaeFromScratch.Cli.Commands;

/// <summary>A device on which kernels are tried that may fail; it is opened again after an error that left it useless.</summary>
/// <param name="open">Opens the device.</param>
internal sealed class DeviceOnTrial<B>(Func<B> open) : IDisposable where B : class, IBackend
{
    private const float Sign = 42.5f;

    private bool isOpen = true;

    public B Backend { get; private set; } = open();

    /// <summary>To be called after each error: a fresh start where nothing works any more.</summary>
    /// <returns>Why there is none, so that nothing else can be tried; null where there is.</returns>
    public string? Recover(Exception error) => error is DeviceException || !Works() ? OpenAgain() : null;

    /// <summary>An error as one line.</summary>
    public static string Describe(Exception error) =>
        error is DeviceException or DeviceMemoryException ? error.Message
            : $"{error.GetType().Name}: {error.Message.ReplaceLineEndings(" ")}";

    /// <summary>Whether the device still computes after an error: some make all that follows fail.</summary>
    private bool Works()
    {
        try
        {
            using var pool = new BufferPool(Backend);
            var value = pool.Rent<float>(1);
            Backend.Fill(value, Sign);
            var read = new float[1];
            Backend.Download(value, read);
            return read[0] == Sign;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return false;
        }
    }

    private string? OpenAgain()
    {
        try
        {
            Dispose();
            Backend = open();
            isOpen = true;
            return Works() ? null : "it computes wrongly";
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return Describe(e);
        }
    }

    public void Dispose()
    {
        if (!isOpen)
            return;
        isOpen = false;
        Backend.Dispose();
    }
}
