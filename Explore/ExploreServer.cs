using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using VaeFromScratch.Explore.Runs;
using VaeFromScratch.Explore.Web;
using VaeFromScratch.Models;

namespace VaeFromScratch.Explore;

/// <summary>Serves the page and what it asks for, until it is disposed of. <see cref="AspNetCore.Load"/> comes first.</summary>
public sealed class ExploreServer : IDisposable
{
    /// <summary>The largest body of a request: a picture that a user drops on the page.</summary>
    internal const int LargestBody = 8 << 20;

    private readonly WebApplication application;
    private readonly RunPool pool;

    private ExploreServer(WebApplication application, RunPool pool, string address, bool hasToken) =>
        (this.application, this.pool, Address, HasToken) = (application, pool, address, hasToken);

    /// <summary>What to open in a browser, with the token where there is one.</summary>
    public string Address { get; }

    /// <summary>Whether other machines may reach the page, for which they need the token.</summary>
    public bool HasToken { get; }

    /// <exception cref="Engine.IO.DataException">The folder is not there.</exception>
    /// <exception cref="OptionException">The port or the interface cannot be had.</exception>
    public static ExploreServer Start(ExploreOptions options)
    {
        var runs = new RunList(options.Path);
        var pool = new RunPool(options);
        // Empty: nothing is read from environment variables or files, and nothing is logged.
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = LargestBody;
            kestrel.Listen(options.Listen, options.Port);
        });
        var application = builder.Build();
        string? token = IPAddress.IsLoopback(options.Listen) ? null : RequestGuard.NewToken();
        application.Use(new RequestGuard(token).Invoke);
        application.Use(Answer.Explain);
        application.UseRouting();
        PageFiles.Map(application);
        new RunEndpoints(runs, pool).Map(application);
        new ModelEndpoints(runs, pool).Map(application);
        application.UseEndpoints(_ => { });
        try
        {
            application.StartAsync().GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            pool.Dispose();
            string what = $"{options.Listen}:{options.Port}";
            throw new OptionException(e is IOException
                ? $"--port {options.Port}: {what} is in use; name another port, or 0 for any free one"
                : $"--listen {options.Listen}: this machine cannot listen on {what} ({e.Message.TrimEnd('.')}); `ip address` shows its "
                    + $"addresses");
        }
        int port = new Uri(application.Urls.Single()).Port;
        return new(application, pool, AddressOf(options.Listen, port, token), token is not null);
    }

    /// <summary>Ends the requests that are being answered, at once, and closes every run.</summary>
    public void Dispose()
    {
        using (var now = new CancellationTokenSource(TimeSpan.Zero))
            application.StopAsync(now.Token).GetAwaiter().GetResult();
        ((IDisposable)application).Dispose();
        pool.Dispose();
    }

    private static string AddressOf(IPAddress listen, int port, string? token)
    {
        // An interface that stands for all of them is none that a browser can go to.
        string host = listen.Equals(IPAddress.Any) || listen.Equals(IPAddress.IPv6Any) ? Dns.GetHostName()
            : listen.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{listen}]" : listen.ToString();
        return $"http://{host}:{port}/{(token is null ? "" : $"?token={token}")}";
    }
}
