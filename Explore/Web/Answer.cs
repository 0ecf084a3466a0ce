using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using VaeFromScratch.Engine.IO;
using VaeFromScratch.Estimators;
using VaeFromScratch.Kernels;
using VaeFromScratch.Models;

namespace VaeFromScratch.Explore.Web;

/// <summary>What a request asks for cannot be given: a sentence for the user.</summary>
/// <param name="status">404 for what is not there, 400 for what cannot be read.</param>
internal sealed class RequestException(int status, string message) : Exception(message)
{
    public int Status => status;
}

/// <summary>Reads requests and writes answers: JSON or raw bytes; a failure is {"error": SENTENCE}.</summary>
internal static class Answer
{
    public static async Task Explain(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
            if (context.Response is { StatusCode: StatusCodes.Status404NotFound, HasStarted: false })
                await Error(context, StatusCodes.Status404NotFound, $"{context.Request.Path}: there is nothing here");
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // The page has moved on and no longer waits for this.
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            await Error(context, StatusOf(e), Sentence(e));
        }
    }

    public static Task Json(HttpContext context, JsonNode json)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        return context.Response.WriteAsync(json.ToJsonString(), context.RequestAborted);
    }

    public static Task Bytes(HttpContext context, ReadOnlyMemory<byte> bytes)
    {
        context.Response.ContentType = "application/octet-stream";
        context.Response.ContentLength = bytes.Length;
        return context.Response.Body.WriteAsync(bytes, context.RequestAborted).AsTask();
    }

    public static Task Error(HttpContext context, int status, string sentence)
    {
        context.Response.StatusCode = status;
        return Json(context, new JsonObject { ["error"] = sentence });
    }

    /// <summary>A whole number of the address.</summary>
    public static int Number(HttpContext context, string name, int least, int most, int? otherwise = null)
    {
        string text = context.Request.Query[name].ToString();
        if (text == "" && otherwise is { } value)
            return value;
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) && number >= least
            && number <= most
            ? number
            : throw Bad($"{name}: expected a whole number from {least} to {most}");
    }

    /// <summary>The body, of at most <see cref="ExploreServer.LargestBody"/> bytes.</summary>
    public static async Task<byte[]> Body(HttpContext context)
    {
        if (context.Request.ContentLength > ExploreServer.LargestBody)
            throw new RequestException(StatusCodes.Status413PayloadTooLarge,
                $"the file has {context.Request.ContentLength} bytes; expected at most {ExploreServer.LargestBody}");
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        return body.ToArray();
    }

    /// <summary>A body as float32 numbers, rows of so many; all of them finite.</summary>
    public static float[] Floats(byte[] body, int rowLength, int mostRows)
    {
        int bytes = rowLength * sizeof(float);
        if (body.Length == 0 || body.Length % bytes != 0 || body.Length / bytes > mostRows)
            throw Bad($"{body.Length} bytes; expected 1 to {mostRows} rows of {rowLength} float32 numbers");
        var floats = new float[body.Length / sizeof(float)];
        Buffer.BlockCopy(body, 0, floats, 0, body.Length);
        return Array.TrueForAll(floats, float.IsFinite) ? floats : throw Bad("a number is not finite; expected finite ones");
    }

    /// <summary>A body as int32 numbers: indices of things of which there are so many.</summary>
    public static int[] Indices(byte[] body, int mostIndices, int things)
    {
        if (body.Length == 0 || body.Length % sizeof(int) != 0 || body.Length / sizeof(int) > mostIndices)
            throw Bad($"{body.Length} bytes; expected 1 to {mostIndices} int32 numbers");
        int[] indices = new int[body.Length / sizeof(int)];
        Buffer.BlockCopy(body, 0, indices, 0, body.Length);
        return Array.TrueForAll(indices, i => i >= 0 && i < things) ? indices
            : throw Bad($"an index is not among the {things} test images");
    }

    public static RequestException Bad(string sentence) => new(StatusCodes.Status400BadRequest, sentence);

    /// <summary>A number for JSON, which has none that are not finite.</summary>
    public static JsonNode? Finite(double? value) => value is { } v && double.IsFinite(v) ? JsonValue.Create(v) : null;

    public static JsonArray Numbers(IEnumerable<double> values) => [.. values.Select(v => Finite(v))];

    public static JsonArray Numbers(IEnumerable<float> values) => Numbers(values.Select(v => (double)v));

    /// <summary>What is wrong, where it is something that the user can do something about; else that something is.</summary>
    public static string Sentence(Exception e) => e switch
    {
        RequestException or DataException or OptionException or EstimatorException or DeviceException or DeviceMemoryException => e.Message,
        IOException or UnauthorizedAccessException => e.Message.ReplaceLineEndings(" "),
        _ => $"{e.Message.ReplaceLineEndings(" ").TrimEnd('.')} (unexpected {e.GetType().Name})",
    };

    private static int StatusOf(Exception e) => e switch
    {
        RequestException request => request.Status,
        BadHttpRequestException http => http.StatusCode,
        DataException or OptionException or EstimatorException => StatusCodes.Status422UnprocessableEntity,
        _ => StatusCodes.Status500InternalServerError,
    };
}
