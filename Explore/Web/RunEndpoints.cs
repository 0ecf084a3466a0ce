using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using VaeFromScratch.Explore.Runs;

namespace VaeFromScratch.Explore.Web;

/// <summary>What is known of runs from their files: the list, curves, settings.</summary>
internal sealed class RunEndpoints(RunList runs, RunPool pool)
{
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/api/runs", (RequestDelegate)List);
        routes.MapGet("/api/metrics", (RequestDelegate)Metrics);
        routes.MapGet("/api/settings", (RequestDelegate)Settings);
    }

    /// <summary>A row for every run, broken ones with what is wrong.</summary>
    private Task List(HttpContext context) => Answer.Json(context, new JsonObject
    {
        ["folder"] = runs.Folder,
        ["open"] = pool.Open,
        ["runs"] = new JsonArray([.. runs.Scan().Select(run => (JsonNode)RunSummary.Read(run).ToJson())]),
    });

    /// <summary>metrics.csv by columns; empty before the first epoch has ended.</summary>
    private Task Metrics(HttpContext context)
    {
        var summary = Read(context);
        var columns = new JsonObject();
        foreach (string name in summary.Metrics!.Names)
            columns[name] = Answer.Numbers(summary.Metrics.Columns[name]);
        return Answer.Json(context, new JsonObject
        {
            ["state"] = summary.State,
            ["epochs"] = summary.Configuration!.Training.Epochs,
            ["terms"] = new JsonArray([.. summary.Metrics.Terms.Select(term => JsonValue.Create(term))]),
            ["columns"] = columns,
        });
    }

    /// <summary>config.json, with the defaults of settings that it does not name.</summary>
    private Task Settings(HttpContext context) => Answer.Json(context, Read(context).Configuration!.ToJsonObject());

    /// <summary>The run that the request names; its files can be read.</summary>
    private RunSummary Read(HttpContext context)
    {
        var summary = RunSummary.Read(Named(runs, context));
        return summary is { Configuration: not null, Metrics: not null } ? summary
            : throw new RequestException(StatusCodes.Status422UnprocessableEntity, summary.Problem ?? "the run cannot be read");
    }

    public static RunEntry Named(RunList runs, HttpContext context) => runs.Find(context.Request.Query["run"].ToString());
}
