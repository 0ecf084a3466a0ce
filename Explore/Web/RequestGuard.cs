using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace VaeFromScratch.Explore.Web;

/// <summary>
/// Who may ask. A page of another site that the user's browser shows must not reach the runs: its requests carry that site's name, as
/// Origin or as Sec-Fetch-Site, and a name of its own that points to this machine (DNS rebinding) stands in Host.
/// </summary>
/// <param name="token">Null where only this machine can reach the server; else what the address has to hold, once.</param>
internal sealed class RequestGuard(string? token)
{
    /// <summary>Nothing from elsewhere is loaded, and no other site puts the page into a frame.</summary>
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        + "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

    public static string NewToken() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    public Task Invoke(HttpContext context, RequestDelegate next)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.CacheControl = "no-store";
        return (Refusal(context.Request) ?? Unknown(context)) is { } why ? Answer.Error(context, StatusCodes.Status403Forbidden, why)
            : next(context);
    }

    private string? Refusal(HttpRequest request)
    {
        if (!IsOwnHost(request.Host, request.HttpContext.Connection.LocalPort))
            return "this address is not the server's own; open the address that `vae explore` printed";
        // A link to the page, from wherever, is followed; what the page then asks for comes from itself.
        bool navigation = HttpMethods.IsGet(request.Method) && request.Path == "/" && request.Headers["Sec-Fetch-Mode"] == "navigate";
        if (request.Headers["Sec-Fetch-Site"].ToString() is not ("" or "same-origin" or "none") && !navigation)
            return "the request comes from a page of another site";
        return request.Headers.Origin.ToString() is var origin && origin != "" && origin != $"http://{request.Host}"
            ? "the request comes from a page of another site"
            : null;
    }

    /// <summary>
    /// With a token any address of this machine will do, for names of other sites never get the cookie; without one only the
    /// loopback's.
    /// </summary>
    private bool IsOwnHost(HostString host, int port)
    {
        if ((host.Port ?? 80) != port)
            return false;
        string name = host.Host.Trim('[', ']');
        if (name.Equals("localhost", StringComparison.OrdinalIgnoreCase))
            return true;
        if (IPAddress.TryParse(name, out var address))
            return token is not null || IPAddress.IsLoopback(address);
        return token is not null && name.Equals(Dns.GetHostName(), StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Asks for the token, and keeps it in a cookie once the address has shown it.</summary>
    private string? Unknown(HttpContext context)
    {
        if (token is null)
            return null;
        string cookie = $"vae-explore-{context.Connection.LocalPort}";
        if (IsToken(context.Request.Query["token"].ToString()))
        {
            context.Response.Cookies.Append(cookie, token, new() { HttpOnly = true, SameSite = SameSiteMode.Strict, Path = "/" });
            return null;
        }
        return IsToken(context.Request.Cookies[cookie] ?? "") ? null
            : "the token is missing; open the whole address that `vae explore` printed";
    }

    private bool IsToken(string given) => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given),
        Encoding.UTF8.GetBytes(token!));
}
