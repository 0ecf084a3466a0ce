using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using VaeFromScratch.Explore.Runs;

namespace VaeFromScratch.Explore.Web;

/// <summary>What a run's model computes: images of codes, codes of images, encodings.</summary>
internal sealed class ModelEndpoints(RunList runs, RunPool pool)
{
    private const int MostCodes = 512, MostStrip = 256, MostReconstructions = 16;

    public void Map(IEndpointRouteBuilder routes)
    {
        Get(routes, "run", RunDescription.Describe);
        Get(routes, "sample", (run, context) => new JsonObject { ["code"] = Answer.Numbers(run.Sample(Draw(context))) });
        Get(routes, "image", (run, context) => run.Describe(run.Pixels(Image(run, context))));
        Get(routes, "inside", (run, context) => run.Inside(run.Pixels(Image(run, context)), Draw(context)));
        Get(routes, "known", RunDescription.Known);
        routes.MapGet("/api/factors", (RequestDelegate)Factors);
        routes.MapGet("/api/plane", (RequestDelegate)Plane);
        routes.MapGet("/api/reconstructions", (RequestDelegate)Reconstructions);
        routes.MapPost("/api/decode", (RequestDelegate)Decode);
        routes.MapPost("/api/strip", (RequestDelegate)Strip);
        routes.MapPost("/api/mean", (RequestDelegate)Mean);
        routes.MapPost("/api/image", (RequestDelegate)Upload);
        routes.MapPost("/api/inside", (RequestDelegate)UploadInside);
    }

    private void Get(IEndpointRouteBuilder routes, string name, Func<HostedRun, HttpContext, JsonNode> answer) =>
        routes.MapGet($"/api/{name}", (RequestDelegate)(async context =>
            await Answer.Json(context, await Use(context, run => answer(run, context)))));

    private Task<T> Use<T>(HttpContext context, Func<HostedRun, T> work) =>
        pool.Use(RunEndpoints.Named(runs, context), work, context.RequestAborted);

    /// <summary>From float32 codes [n, H + K] to their mean images, bytes [n, H, W, C].</summary>
    private async Task Decode(HttpContext context)
    {
        byte[] body = await Answer.Body(context);
        await Answer.Bytes(context, await Use(context, run => run.Decode(Answer.Floats(body, run.Model.CodeLength, MostCodes))));
    }

    /// <summary>The information of every factor from all test images; nothing is stored.</summary>
    private async Task Factors(HttpContext context)
    {
        await EncodeAll(context);
        await Answer.Json(context, await Use(context, run => RunDescription.Measured(run.Indicators())));
    }

    /// <summary>The means of all test images in the plane of two factors, float32 [images, 2].</summary>
    private async Task Plane(HttpContext context)
    {
        await EncodeAll(context);
        await Answer.Bytes(context, await Use(context, run =>
        {
            int h = run.Model.Latents, a = Answer.Number(context, "a", 0, h - 1), b = Answer.Number(context, "b", 0, h - 1);
            var points = new float[2 * run.Encoded];
            for (int i = 0; i < run.Encoded; i++)
                (points[2 * i], points[2 * i + 1]) = (run.Mu[i * h + a], run.Mu[i * h + b]);
            byte[] bytes = new byte[points.Length * sizeof(float)];
            Buffer.BlockCopy(points, 0, bytes, 0, bytes.Length);
            return bytes;
        }));
    }

    /// <summary>In pieces, between which other requests have their turn.</summary>
    private async Task EncodeAll(HttpContext context)
    {
        while (await Use(context, run => run.EncodeNext()))
            context.RequestAborted.ThrowIfCancellationRequested();
    }

    /// <summary>The test images with these int32 indices, as they are stored, bytes [n, H, W, C].</summary>
    private async Task Strip(HttpContext context)
    {
        byte[] body = await Answer.Body(context);
        await Answer.Bytes(context, await Use(context, run => run.StoredImages(Answer.Indices(body, MostStrip, run.Test.Count))));
    }

    private async Task Reconstructions(HttpContext context) =>
        await Answer.Bytes(context, await Use(context, run =>
            run.Reconstructions(Answer.Number(context, "count", 1, MostReconstructions, otherwise: 8))));

    /// <summary>The mean of the test images with these int32 indices.</summary>
    private async Task Mean(HttpContext context)
    {
        byte[] body = await Answer.Body(context);
        await Answer.Bytes(context, await Use(context, run => run.MeanImage(Answer.Indices(body, run.Test.Count, run.Test.Count))));
    }

    /// <summary>A picture of the user's: a PNG, a PGM or a JPEG.</summary>
    private async Task Upload(HttpContext context)
    {
        byte[] picture = await Answer.Body(context);
        await Answer.Json(context, await Use(context, run => run.Describe(run.Pixels(picture))));
    }

    private async Task UploadInside(HttpContext context)
    {
        byte[] picture = await Answer.Body(context);
        await Answer.Json(context, await Use(context, run => run.Inside(run.Pixels(picture), Draw(context))));
    }

    private static int Image(HostedRun run, HttpContext context) => Answer.Number(context, "image", 0, run.Test.Count - 1);

    private static uint Draw(HttpContext context) => (uint)Answer.Number(context, "draw", 0, int.MaxValue, otherwise: 0);
}
