"""The GraphQL documents that `phems run` sends, one constant each; Dagster's schema says what is in them."""

from __future__ import annotations

_RUN_FIELDS = """
  runId jobName status creationTime startTime endTime
  tags { key value }
"""

_ERRORS = "... on PythonError { message } ... on UnauthorizedError { message }"

JOBS = """
query Jobs($project: String!) {
  workspaceLocationEntryOrError(name: $project) {
    __typename
    ... on WorkspaceLocationEntry {
      locationOrLoadError {
        __typename
        ... on RepositoryLocation {
          repositories { name jobs { name } assetNodes { assetKey { path } } }
        }
        ... on PythonError { message }
      }
    }
  }
}
"""

PARTITION = """
query Partition($job: PipelineSelector!, $key: String!, $assets: [AssetKeyInput!]) {
  pipelineOrError(params: $job) {
    __typename
    ... on Pipeline {
      partition(partitionName: $key, selectedAssetKeys: $assets) {
        runConfigOrError { ... on PartitionRunConfig { yaml } }
        tagsOrError { __typename ... on PartitionTags { results { key value } } }
      }
      partitionKeysOrError(selectedAssetKeys: $assets) { ... on PartitionKeys { partitionKeys } }
    }
  }
}
"""

LAUNCH = f"""
mutation Launch($params: ExecutionParams!) {{
  launchRun(executionParams: $params) {{
    __typename
    ... on LaunchRunSuccess {{ run {{ {_RUN_FIELDS} }} }}
    ... on RunConfigValidationInvalid {{ errors {{ message path }} }}
    ... on InvalidSubsetError {{ message }}
    ... on PipelineNotFoundError {{ message }}
    ... on RunConflict {{ message }}
    ... on ConflictingExecutionParamsError {{ message }}
    {_ERRORS}
  }}
}}
"""

RUNS = f"""
query Runs($filter: RunsFilter, $limit: Int) {{
  runsOrError(filter: $filter, limit: $limit) {{
    __typename
    ... on Runs {{ results {{ {_RUN_FIELDS} }} }}
    ... on InvalidPipelineRunsFilterError {{ message }}
    ... on PythonError {{ message }}
  }}
}}
"""

RUN_IDS = """
query RunIds($limit: Int) {
  runIdsOrError(limit: $limit) { __typename ... on RunIds { results } ... on PythonError { message } }
}
"""

RUN = f"""
query Run($id: ID!) {{
  runOrError(runId: $id) {{
    __typename
    ... on Run {{
      {_RUN_FIELDS}
      executionPlan {{ steps {{ key }} }}
      stepStats {{ stepKey status startTime endTime attempts {{ startTime }} }}
    }}
    ... on PythonError {{ message }}
  }}
}}
"""

_EVENT_FIELDS = """
  __typename
  ... on MessageEvent { message timestamp level stepKey eventType }
  ... on RunFailureEvent { error { ...Failure } }
  ... on ExecutionStepFailureEvent { error { ...Failure } }
  ... on ExecutionStepUpForRetryEvent { error { ...Failure } secondsToWait }
  ... on LogsCapturedEvent { fileKey stepKeys }
"""

_FAILURE = """
fragment Failure on PythonError {
  message stack
  cause { message stack cause { message stack cause { message stack } } }
}
"""

EVENTS = f"""
query Events($id: ID!, $after: String, $limit: Int, $withPlan: Boolean = false) {{
  runOrError(runId: $id) {{
    __typename
    ... on Run {{ status executionPlan @include(if: $withPlan) {{ steps {{ key }} }} }}
  }}
  logsForRun(runId: $id, afterCursor: $after, limit: $limit) {{
    __typename
    ... on EventConnection {{ cursor hasMore events {{ {_EVENT_FIELDS} }} }}
    ... on PythonError {{ message }}
  }}
}}
{_FAILURE}
"""

CAPTURED = """
query Captured($key: [String!]!, $cursor: String) {
  capturedLogs(logKey: $key, cursor: $cursor) { stdout stderr cursor }
}
"""

CANCEL = f"""
mutation Cancel($id: String!) {{
  terminateRun(runId: $id) {{
    __typename
    ... on TerminateRunSuccess {{ run {{ status }} }}
    ... on TerminateRunFailure {{ message run {{ status }} }}
    ... on RunNotFoundError {{ message }}
    {_ERRORS}
  }}
}}
"""
