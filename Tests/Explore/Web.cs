using System.Net;
using System.Text.Json;
using NUnit.Framework;
using VaeFromScratch.Explore;

namespace VaeFromScratch.Tests.Explore;

/// <summary>Requests to a server as a program makes them.</summary>
internal sealed class Web(ExploreServer server) : IDisposable
{
    private readonly HttpClient client = new(new HttpClientHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false
    })
    { BaseAddress = new(server.Address.Split('?')[0]) };

    public async Task<(HttpStatusCode Status, byte[] Body)> Send(string path, byte[]? body = null,
        params (string Name, string Value)[] headers)
    {
        using var response = await Ask(path, body, headers);
        return (response.StatusCode, await response.Content.ReadAsByteArrayAsync());
    }

    public async Task<HttpResponseMessage> Ask(string path, byte[]? body = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(body is null ? HttpMethod.Get : HttpMethod.Post, path);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            // A server that refuses a body by its length need not read it.
            request.Headers.ExpectContinue = body.Length > 1 << 20;
        }
        foreach (var (name, value) in headers)
            if (name == "Host")
                request.Headers.Host = value;
            else
                request.Headers.TryAddWithoutValidation(name, value);
        return await client.SendAsync(request);
    }

    public async Task<JsonElement> Json(string path, byte[]? body = null)
    {
        var (status, bytes) = await Send(path, body);
        string text = System.Text.Encoding.UTF8.GetString(bytes);
        Assert.That(status, Is.EqualTo(HttpStatusCode.OK), text);
        return JsonDocument.Parse(text).RootElement;
    }

    public async Task<byte[]> Bytes(string path, byte[]? body = null)
    {
        var (status, bytes) = await Send(path, body);
        Assert.That(status, Is.EqualTo(HttpStatusCode.OK), () => System.Text.Encoding.UTF8.GetString(bytes));
        return bytes;
    }

    /// <summary>Asserts that a request is refused with a sentence, which says <paramref name="says"/>.</summary>
    public async Task Refused(HttpStatusCode expected, string path, byte[]? body, string says, params (string Name, string Value)[] headers)
    {
        var (status, bytes) = await Send(path, body, headers);
        string text = System.Text.Encoding.UTF8.GetString(bytes);
        Assert.That(status, Is.EqualTo(expected), $"{path}: {text}");
        Assert.That(JsonDocument.Parse(text).RootElement.GetProperty("error").GetString(), Does.Contain(says));
    }

    public static byte[] Of(params float[] numbers)
    {
        byte[] bytes = new byte[numbers.Length * sizeof(float)];
        Buffer.BlockCopy(numbers, 0, bytes, 0, bytes.Length);
        return bytes;
    }

    public static byte[] Of(params int[] numbers)
    {
        byte[] bytes = new byte[numbers.Length * sizeof(int)];
        Buffer.BlockCopy(numbers, 0, bytes, 0, bytes.Length);
        return bytes;
    }

    public void Dispose() => client.Dispose();
}
